#!/bin/bash
# Installs what the tests use when it is there and Python packages cannot bring: Ceph's S3 gateway,
# a browser, the brokers. Debian and Ubuntu; needs root or sudo.  usage: install.sh [PACKAGE ...]
set -euo pipefail

# Azurite, a server of Azure's blobs, is not in Debian; nor is what builds and judges the script of
# uploads, esbuild, TypeScript and axe-core.
wants_azurite=
wants_script=
script=$(dirname "$0")/../../smart_storages/uploads/js
packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    packages=(
        radosgw ceph-mon ceph-osd ceph-common # a real S3 server: tests marked real_s3
        chromium chromium-driver firefox-esr  # the example site, and uploads, in browsers
        redis-server rabbitmq-server          # brokers of the queue
        postgresql                            # its ledger under concurrent workers
    )
    command -v azurite-blob > /dev/null || wants_azurite=yes
    [ "$script/node_modules/.package-lock.json" -nt "$script/package-lock.json" ] || wants_script=yes
    [ -z "$wants_azurite$wants_script" ] || command -v npm > /dev/null || packages+=(nodejs npm)
fi

missing=()
for package in "${packages[@]}"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ] && [ -z "$wants_azurite$wants_script" ]; then
    exit 0
fi

# Where root did not check the files out, they must not become root's.
install_script() {
    npm ci --prefix "$script" --no-audit --no-fund < /dev/null
    touch "$script/node_modules/.package-lock.json"
}
if [ ${#missing[@]} -eq 0 ] && [ -z "$wants_azurite" ]; then
    install_script
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || {
        echo "install.sh: needs root or sudo to install ${missing[*]} ${wants_azurite:+azurite}" >&2
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

if [ ${#missing[@]} -gt 0 ]; then
    "${as_root[@]}" apt-get update -q
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -q --no-install-recommends "${missing[@]}" < /dev/null
fi
if [ -n "$wants_azurite" ]; then
    "${as_root[@]}" npm install --global --no-audit --no-fund azurite@3 < /dev/null
fi
if [ -n "$wants_script" ]; then
    install_script
fi
