#!/bin/bash
# A Ceph S3 gateway for the tests: one monitor, one object store in memory, one radosgw, on loopback.
#
#   ceph.sh start DIR PORT MONITOR_PORT   start everything below DIR, return when the gateway answers
#   ceph.sh user DIR NAME ACCESS SECRET [TENANT]   create one more user
#   ceph.sh free DIR                      give back the memory of objects that were deleted, at once
#   ceph.sh stop DIR                      kill what was started and delete DIR
#
# Environment: S3_ACCESS_KEY, S3_SECRET_KEY  keys of the first user
#              OWNER_PID                     stop by itself when this process is gone
#
# Debian: apt-get install --no-install-recommends radosgw ceph-mon ceph-osd
# DIR must be short: it holds UNIX sockets, whose paths end at 107 characters.
set -euo pipefail

usage() {
    sed -n '2,13s/^# \{0,1\}//p' "$0" >&2
    exit 2
}

[ $# -ge 2 ] || usage
command=$1
dir=$2
export CEPH_CONF=$dir/ceph.conf

write_configuration() {
    local port=$1 monitor_port=$2
    cat > "$CEPH_CONF" <<CONF
[global]
fsid = 5f0c3c0e-8f3b-4a56-9d0f-2f6c1f5a7b10
mon host = [v2:127.0.0.1:$monitor_port]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
# Only the newer wire protocol, so that one port is enough.
ms bind msgr1 = false
auth cluster required = none
auth service required = none
auth client required = none
run dir = $dir/run
pid file = $dir/run/\$name.pid
admin socket = $dir/run/\$name.asok
log file = $dir/log/\$name.log
mon cluster log file = $dir/log/cluster.log
crash dir = $dir

# One copy on one "disk", and that disk is memory.
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
mon allow pool size one = true
osd crush chooseleaf type = 0
osd crush update on start = false
osd objectstore = memstore
memstore device bytes = 4294967296
osd class load list = *
osd class default list = *
osd data = $dir/osd
mon data = $dir/mon
# The monitor refuses to start on a disk that is nearly full; it writes next to nothing here.
mon data avail warn = 1
mon data avail crit = 1
# A lone monitor needs not wait for votes: creating a bucket takes 20 ms, not seconds.
paxos propose interval = 0.02
paxos min wait = 0.01

[client]
# The gateway hangs while it starts if it negotiates encryption with a monitor without keys.
ms mon client mode = crc
# Without tcp_nodelay each small answer waits 40 ms for an acknowledgement.
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw dns name = localhost
# Lets SSE-C and SSE-KMS be tested over plain http.
rgw crypt require ssl = false
rgw crypt s3 kms backend = testing
rgw crypt s3 kms encryption keys = testkey-1=YmluCmJvb3N0CmJvb3N0LWJ1aWxkCmNlcGguY29uZgo=
# Deleted data is freed after seconds, not hours: it lives in memory.
rgw gc obj min wait = 5
rgw gc processor period = 5
rgw gc processor max time = 5
CONF
}

start_monitor() {
    local monitor_port=$1
    monmaptool --create --fsid 5f0c3c0e-8f3b-4a56-9d0f-2f6c1f5a7b10 \
        --addv a "[v2:127.0.0.1:$monitor_port]" "$dir/monmap"
    ceph-mon -i a --mkfs --monmap "$dir/monmap"
    ceph-mon -i a
}

start_object_store() {
    local uuid
    uuid=$(cat /proc/sys/kernel/random/uuid)
    ceph --connect-timeout 20 osd new "$uuid"
    ceph --connect-timeout 20 osd crush add osd.0 1.0 host=loopback root=default
    ceph-osd -i 0 --mkfs --osd-uuid "$uuid"
    ceph-osd -i 0
}

# create_user NAME ACCESS SECRET [TENANT], with the capabilities in CAPS
create_user() {
    # The usual bound of 1,000 buckets for a user is less than a long test session makes.
    radosgw-admin user create --uid="$1" --display-name="$1" --max-buckets=0 \
        --access-key="$2" --secret-key="$3" ${4:+--tenant="$4"} ${CAPS:+--caps="$CAPS"}
}

add_storage_class() {
    # A second storage class, as AWS has; same pool.
    radosgw-admin zonegroup placement add --rgw-zonegroup default \
        --placement-id default-placement --storage-class STANDARD_IA
    radosgw-admin zone placement add --rgw-zone default --placement-id default-placement \
        --storage-class STANDARD_IA --data-pool default.rgw.buckets.data
}

wait_for_port() {
    local attempt
    for attempt in $(seq 300); do
        if (exec 4<> "/dev/tcp/127.0.0.1/$1") 2> /dev/null; then
            return 0
        fi
        sleep 0.1
    done
    echo "the gateway did not open port $1 within 30 seconds" >&2
    return 1
}

stop_all() {
    local file
    for file in "$dir"/run/*.pid; do
        [ -f "$file" ] || continue
        # Nothing on this "disk" is worth an orderly end.
        kill -9 "$(cat "$file")" 2> /dev/null || true
    done
    rm -rf "$dir"
}

stop_when_gone() {
    # A test run that is killed must not leave three daemons behind.
    while kill -0 "$1" 2> /dev/null && [ -f "$CEPH_CONF" ]; do
        sleep 2
    done
    [ ! -f "$CEPH_CONF" ] || stop_all
}

case $command in
    start)
        [ $# -eq 4 ] || usage
        if [ -e "$CEPH_CONF" ]; then
            echo "$dir holds a gateway already: ceph.sh stop $dir" >&2
            exit 1
        fi
        mkdir -p "$dir"/mon "$dir"/osd "$dir"/run "$dir"/log
        write_configuration "$3" "$4"
        {
            start_monitor "$4"
            start_object_store
            # It may give others policies, over the API of IAM.
            CAPS="user-policy=*" create_user test "${S3_ACCESS_KEY:-testaccesskey}" "${S3_SECRET_KEY:-testsecretkey0123456789}"
            add_storage_class
            radosgw -n client.rgw
        } > "$dir/log/start.log" 2>&1 || {
            tail -n 20 "$dir/log/start.log" >&2
            exit 1
        }
        wait_for_port "$3"
        if [ -n "${OWNER_PID:-}" ]; then
            stop_when_gone "$OWNER_PID" < /dev/null > /dev/null 2>&1 &
        fi
        ;;
    user)
        [ $# -eq 5 ] || [ $# -eq 6 ] || usage
        create_user "${@:3}" > /dev/null
        ;;
    free)
        radosgw-admin gc process --include-all > /dev/null
        ;;
    stop)
        stop_all
        ;;
    *)
        usage
        ;;
esac
