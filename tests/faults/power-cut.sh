#!/usr/bin/env bash
# Cuts the power of a file system under load: a real ext4 or xfs in a file, the real server writing to it, then the
# shutdown ioctl, after which nothing reaches the file any more. Mounted again and started again, the store must hold
# everything acknowledged exactly once (level sync), or all but the end of it (level interval: what was acknowledged
# in the last 200 ms and the time of one sync may go, from the end and in whole batches; deletes and marks never). What
# is acknowledged while the ioctl runs counts as without an answer: a sync that is under way then may succeed although
# ext4 could not note any more that its blocks were written. A real power cut ends the server at the same instant.
#
#   tests/faults/power-cut.sh [--require] [CUTS] [KIND...]
#
# CUTS for each KIND, 4 if not given; KIND ext4, xfs (both). Cuts take turns: the journal of the file system is flushed
# (ioctl flag 1) or not (2); sync, sync, interval. Every fifth cut begins a new store. Needs root, loop devices, mkfs.ext4,
# mkfs.xfs, python3 (for the ioctl). IMAGE_DIR: where the images lie (/dev/shm), 512 MiB each, sparse.
# SYNC_MS_MAX: how long one sync may take at level interval (1000). ANNALS_BIN names the server's program.
#
# All of the long run: tests/faults/power-cut.sh 100

source "$(dirname "$0")/lib.sh"
begin "$@"
cuts="${arguments[0]:-4}"
[[ "$cuts" =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
kinds=("${arguments[@]:1}")
((${#kinds[@]} > 0)) || kinds=(ext4 xfs)
needs_root
needs losetup mount python3 curl pgrep "${kinds[@]/#/mkfs.}"
prepare

readonly CUTS_OF_ONE_STORE=5
readonly INTERVAL_MS=200
readonly SYNC_MS_MAX="${SYNC_MS_MAX:-1000}"
# From linux/fs.h of both file systems: what GOINGDOWN takes.
readonly FLUSH_JOURNAL=1 FLUSH_NOTHING=2
readonly LEVELS=(sync sync interval)
readonly SIGBUS=7
killed_by_sigbus=0

# cut_power FOLDER FLAG: prints when, in milliseconds.
cut_power() {
    python3 - "$1" "$2" <<'PYTHON'
import fcntl, os, struct, sys, time

folder = os.open(sys.argv[1], os.O_RDONLY)
GOINGDOWN = 0x8004587D
before = time.time()
fcntl.ioctl(folder, GOINGDOWN, struct.pack("I", int(sys.argv[2])))
print(int(before * 1000))
PYTHON
}

# one_cut KIND NUMBER: load, cut, mount, start, check.
one_cut() {
    local kind="$1" number="$2" level flag cut_ms loads clients
    level="${LEVELS[number % 3]}"
    flag=$((number % 2 == 0 ? FLUSH_NOTHING : FLUSH_JOURNAL))
    where="$kind, cut $number, $level, flag $flag"
    server_start "$store" "$level" 1MiB || fail "$where: the server does not start: $(tail -1 "$work/server.log")"
    "$faults" load "$address" "$acknowledged" text=200 seed="$number" >>"$work/clients.log" 2>&1 &
    clients=$!
    # At level interval long enough for most of it to be older than what may go.
    loads=$((RANDOM % 500 + 200))
    [[ $level == interval ]] && loads=$((RANDOM % 500 + INTERVAL_MS + SYNC_MS_MAX + 800))
    sleep "$((loads / 1000)).$(printf %03d $((loads % 1000)))"
    cut_ms="$(cut_power "$folder" "$flag")" || {
        ((number == 0)) || fail "$where: the shutdown ioctl fails"
        skip "$kind here knows no shutdown ioctl"
    }
    sleep 0.1
    # Reading a mapped page that is not in memory fails by SIGBUS from now on, which no power cut shows anybody.
    if server_is_alive; then
        server_kill
    elif ((server_status == 128 + SIGBUS)); then
        killed_by_sigbus=$((killed_by_sigbus + 1))
    else
        fail "$where: the server died of the cut, with $server_status"
    fi
    wait "$clients" || fail "$where: $(tail -1 "$work/clients.log")"
    umount "$folder"
    mount "$loop" "$folder" || fail "$where: the file system cannot be mounted again"
    server_start "$store" "$level" 1MiB || fail "$where: the next start fails: $(tail -1 "$work/server.log")"
    if [[ $level == interval ]]; then
        check cut="$cut_ms" lost-ms=$((INTERVAL_MS + SYNC_MS_MAX))
    else
        check cut="$cut_ms"
    fi
    [[ -z "${VERBOSE:-}" ]] || echo "$where: $(tail -1 "$work/clients.log")"
    server_stop
    ((server_status == 0)) || fail "$where: the server ended with $server_status"
}

total=0
for kind in "${kinds[@]}"; do
    images="$(mktemp -d -p "${IMAGE_DIR:-/dev/shm}")"
    folders+=("$images")
    folder="$work/$kind"
    image "$kind" 512M "$images/image" "$folder"
    store="$folder/store"
    for ((number = 0; number < cuts; number++)); do
        if ((number % CUTS_OF_ONE_STORE == 0)); then
            rm -rf "$store" "$acknowledged"
        fi
        one_cut "$kind" "$number"
        total=$((total + 1))
    done
    detach_all
    rm -rf "$images"
done
echo "$name: $total cuts (${kinds[*]}), nothing acknowledged was lost but what level interval allows, nothing was there twice;" \
    "of $killed_by_sigbus the server died by itself, reading a map"
