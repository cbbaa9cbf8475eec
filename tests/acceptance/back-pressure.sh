#!/usr/bin/env bash
# Sends a server ten times what its disk takes and looks whether it stays what it promises to be: memory under a bound
# that follows from its settings, requests that are too much refused with 503 or 429 and Retry-After, queries answered all
# the time, and nothing lost that was acknowledged, though it is killed at the end.
#
#   tests/acceptance/back-pressure.sh [--require] [SECONDS]
#
# 60 seconds if nothing is said. The disk is ext4 on a loop device that a cgroup slows down (DISK_MIB_PER_S, 8): it
# needs root, mkfs.ext4, python3 and a cgroup that limits devices (blkio of version 1, io of version 2); without them it
# exits with 77, with --require with 1. The server has its default settings but for small logs and few streams, so that
# the bound is a narrow one (docs/operations.md, "Memory under load"); ANNALS_* variables change them. QUERY_MS_MAX
# (2000) is what 99 of 100 queries may take at most. ANNALS_BIN names the program.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

require=no
seconds=60
for word in "$@"; do
    case "$word" in
        --help | -h) awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"; exit 0 ;;
        --require) require=yes ;;
        *[!0-9]* | '') echo "back-pressure: SECONDS is a number" >&2; exit 2 ;;
        *) seconds="$word" ;;
    esac
done
readonly require seconds DISK_MIB_PER_S="${DISK_MIB_PER_S:-8}" QUERY_MS_MAX="${QUERY_MS_MAX:-2000}"
export ANNALS_ADMIN_KEY=back-pressure-administrator ANNALS_KEY=back-pressure-administrator
export ANNALS_LOG_SIZE="${ANNALS_LOG_SIZE:-64MiB}" ANNALS_LIMITS_STREAMS_MAX="${ANNALS_LIMITS_STREAMS_MAX:-4}"

work='' loop='' group='' server=''
finish() {
    if [[ -n $server ]]; then kill -9 "$server" 2>/dev/null && wait "$server" 2>/dev/null || true; fi
    if [[ -n $work ]] && mountpoint -q "$work/disk"; then umount "$work/disk"; fi
    if [[ -n $loop ]]; then losetup -d "$loop"; fi
    if [[ -n $group ]]; then rmdir "$group" || true; fi
    if [[ -n $work ]]; then rm -rf "$work"; fi
}
trap finish EXIT
trap 'exit 130' INT TERM

skip() {
    echo "back-pressure: $([[ $require == yes ]] && echo FAILED || echo SKIPPED): $*" >&2
    [[ $require == yes ]] && exit 1
    exit 77
}

fail() {
    echo "back-pressure: FAILED: $*" >&2
    [[ ! -s $work/server.log ]] || tail -5 "$work/server.log" >&2
    exit 1
}

# slow_down DEVICE: what runs in $group writes no faster than that to the device.
slow_down() {
    local device bytes=$((DISK_MIB_PER_S << 20))
    device="$(cat "/sys/block/${1#/dev/}/dev")"
    if [[ -d /sys/fs/cgroup/blkio ]]; then
        group=/sys/fs/cgroup/blkio/annals-back-pressure
        mkdir -p "$group" && echo "$device $bytes" >"$group/blkio.throttle.write_bps_device"
    elif grep -qw io /sys/fs/cgroup/cgroup.subtree_control 2>/dev/null; then
        group=/sys/fs/cgroup/annals-back-pressure
        mkdir -p "$group" && echo "$device wbps=$bytes" >"$group/io.max"
    else
        return 1
    fi 2>/dev/null
}

# start_server [in the group]: sets $server and $url.
start_server() {
    : >"$work/server.log"
    (
        if [[ -n ${1:-} ]]; then echo "$BASHPID" >"$group/cgroup.procs"; fi
        exec "$ANNALS_BIN" serve --data "$work/disk/store" --listen 127.0.0.1:0 2>"$work/server.log"
    ) &
    server=$!
    local turn
    for ((turn = 0; turn < 600; turn++)); do
        url="$(sed -n 's/^annals listens on \(http[^,]*\),.*/\1/p' "$work/server.log")"
        if [[ -n $url ]]; then return; fi
        kill -0 "$server" 2>/dev/null || break
        sleep 0.1
    done
    fail "the server does not start"
}

((EUID == 0)) || skip "only root can slow a disk down"
for program in losetup mkfs.ext4 mountpoint python3; do
    command -v "$program" >/dev/null || skip "there is no $program"
done
if [[ -z "${ANNALS_BIN:-}" ]]; then
    cargo build --quiet --release -p annals
    ANNALS_BIN="${CARGO_TARGET_DIR:-target}/release/annals"
fi
work="$(mktemp -d "${TMPDIR:-/tmp}/back-pressure.XXXXXX")"
mkdir "$work/disk"
truncate -s 8G "$work/image"
mkfs.ext4 -q -F "$work/image"
loop="$(losetup --find --show "$work/image" 2>/dev/null)" || skip "there is no loop device"
mount "$loop" "$work/disk" || skip "the loop device cannot be mounted"
slow_down "$loop" || skip "no cgroup limits devices here"

start_server slowly
python3 tests/acceptance/back_pressure.py load "$url" "$server" "$seconds" "$work"
# Nothing acknowledged needs an orderly end.
kill -9 "$server"
wait "$server" 2>/dev/null || true
server=
start_server
python3 tests/acceptance/back_pressure.py check "$url" "$work" || fail "the store is not what was acknowledged"

"$ANNALS_BIN" config print --json >"$work/settings.json"
python3 tests/acceptance/back_pressure.py judge "$work" "$DISK_MIB_PER_S" "$QUERY_MS_MAX" || fail "see above"
