#!/bin/bash
# Installs what the tests use when it is there and Python packages cannot bring: Ceph's S3 gateway,
# a browser, the brokers. Debian and Ubuntu; needs root or sudo.  usage: install.sh [PACKAGE ...]
set -euo pipefail

packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    packages=(
        radosgw ceph-mon ceph-osd ceph-common # a real S3 server: tests marked real_s3
        chromium chromium-driver              # the example site in a browser
        redis-server rabbitmq-server          # brokers of the queue
        postgresql                            # its ledger under concurrent workers
    )
fi

missing=()
for package in "${packages[@]}"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || {
        echo "install.sh: needs root or sudo to install ${missing[*]}" >&2
        exit 1
    }
    as_root=(sudo -n)
fi

# Packages of servers would start them; the tests start their own, on ports of their own.
policy=/usr/sbin/policy-rc.d
made_policy=
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" > /dev/null
    "${as_root[@]}" chmod +x "$policy"
    made_policy=yes
fi
trap '[ -z "$made_policy" ] || "${as_root[@]}" rm -f "$policy"' EXIT

export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get install -y -q --no-install-recommends "${missing[@]}" < /dev/null
