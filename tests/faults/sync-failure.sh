#!/usr/bin/env bash
# Makes the disk fail under the real server. It must stop taking writes (503 read_only, /readyz 503), go on answering
# reads, end by SIGTERM, and show everything acknowledged exactly once after the next start.
#
#   tests/faults/sync-failure.sh [--require] [POINTS]
#
# (a) the N-th fdatasync, fsync, pwrite64 or fallocate of a thread gives EIO (strace), N from POINTS: `quick` (2 5 13 34,
#     the default), a number (1 to that number) or a list such as 7,40. Needs strace. A call that is never reached is
#     counted and no failure.
# (b) ext4 in a sparse file on a tmpfs that gets full: the file system says there is room, the write back fails. Where
#     the failure meets the log, the store is poisoned; where it meets a file that is just made, the disk is full and
#     nothing else. Needs root, loop devices and mkfs.ext4; without them (a) is run and the script then says that (b)
#     was skipped.
#
# SYNC_MS_MAX: how long one sync may take at level interval (1000): with (b) what it had not synced may be lost.
# ANNALS_BIN names the server's program. All of the long run: tests/faults/sync-failure.sh 60

source "$(dirname "$0")/lib.sh"
begin "$@"
needs strace curl pgrep
strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace here"
prepare

case "${arguments[0]:-quick}" in
    quick) points=(2 5 13 34) ;;
    *,*) IFS=, read -r -a points <<<"${arguments[0]}" ;;
    *[!0-9]*) usage >&2; exit 2 ;;
    *) mapfile -t points < <(seq "${arguments[0]}") ;;
esac
readonly CALLS=(fdatasync fsync pwrite64 fallocate)
# A new store begins so often: its making has many of the calls.
readonly STORE_ROUNDS=7
readonly INTERVAL_MS=200 SYNC_MS_MAX="${SYNC_MS_MAX:-1000}"
readonly LEVELS=(sync interval)
readonly EVENT='{"event_type":"kill.test","resource_id":"1","session_id":"1"}'

# is_poisoned: the server says that it is not ready, and takes no append. If it does, the check finds an event that
# nobody has sent.
is_poisoned() {
    [[ "$(status_of /readyz)" == 503 ]] &&
        [[ "$(body_of /annals/v1/events -X POST -H 'Content-Type: application/x-ndjson' -d "$EVENT")" == *'"read_only"'* ]]
}

# poisoned_server WHERE: what a server must do whose disk has failed, up to the next start.
poisoned_server() {
    local where="$1" level="$2"
    [[ "$(status_of /healthz)" == 200 ]] || fail "$where: /healthz says that the server is not alive"
    is_poisoned || fail "$where: appends are taken again"
    if [[ $level == sync ]]; then
        # Reads go on, and show what was acknowledged.
        check open=leave
    else
        [[ "$(status_of '/annals/v1/events?limit=10')" == 200 ]] || fail "$where: reads do not go on"
    fi
    is_poisoned || fail "$where: appends are taken after reads"
    server_is_alive || fail "$where: the server died, with $server_status"
    server_stop
}

# one_error CALL NUMBER LEVEL: (a).
one_error() {
    local call="$1" point="$2" level="$3" where="$3, EIO from $1 number $2" outcome
    ((rounds % STORE_ROUNDS > 0)) || rm -rf "$store" "$acknowledged"
    if ! server_start "$store" "$level" 1MiB strace -f -qq -o /dev/null -e "trace=$call" \
        -e "inject=$call:error=EIO:when=$point"; then
        ((server_status == 1)) || fail "$where: the server ended with $server_status instead of saying why"
        outcome="the start failed"
    else
        load seconds=2 text=400 stop=unavailable seed="$rounds"
        server_is_alive || fail "$where: the server died, with $server_status"
        if is_poisoned; then
            outcome=poisoned
            poisoned_server "$where" "$level"
        else
            # The call belonged to sealing or to the internal store, which try again, or was not reached.
            outcome="not poisoned"
            server_stop
        fi
    fi
    outcomes[$outcome]=$((${outcomes[$outcome]:-0} + 1))
    [[ -z "${VERBOSE:-}" ]] || echo "$where: $outcome"
    server_start "$store" "$level" 1MiB || fail "$where: the next start fails: $(tail -1 "$work/server.log")"
    check
    server_stop
    ((server_status == 0)) || fail "$where: the server ended with $server_status"
}

declare -A outcomes=()
store="$work/store"
rounds=0
for point in "${points[@]}"; do
    for call in "${CALLS[@]}"; do
        one_error "$call" "$point" "${LEVELS[rounds % 2]}"
        rounds=$((rounds + 1))
    done
done
[[ -n "${outcomes[poisoned]:-}" ]] || fail "no error at all has poisoned the store"
said="$rounds errors:"
for outcome in "${!outcomes[@]}"; do
    said+=" ${outcomes[$outcome]} $outcome,"
done
echo "$name: (a) ${said%,}; nothing was lost or there twice"

# (b)
needs_root
needs losetup mount mkfs.ext4
mkdir -p "$work/memory"
mount -t tmpfs -o size=96M tmpfs "$work/memory" || skip "no tmpfs can be mounted"
mounts+=("$work/memory")
# honest LOOP: Linux's loop driver takes a write that the file behind it took half of for a good one (a short write;
# seen with 64 KiB into 8 KiB of room on 6.18). Requests of one page are written or refused.
honest() {
    echo 4 >"/sys/block/${1#/dev/}/queue/max_sectors_kb" 2>/dev/null || skip "the loop device's requests cannot be made small"
}

# full_server WHERE ENDED: what a server must do that cannot make a file, up to the next start.
full_server() {
    local where="$1" ended="$2"
    [[ $ended == *"ended by: disk_full" ]] || fail "$where: the server still takes writes: $ended"
    [[ "$(status_of /healthz)" == 200 ]] || fail "$where: /healthz says that the server is not alive"
    check open=leave
    server_is_alive || fail "$where: the server died, with $server_status"
    server_stop
}

# one_write_back LEVEL: (b).
one_write_back() {
    local level="$1" where="$1, ext4 on a full tmpfs" failed_ms ended
    rm -f "$acknowledged"
    image ext4 512M "$work/memory/image" "$work/disk"
    honest "$loop"
    store="$work/disk/store"
    server_start "$store" "$level" 8MiB || fail "$where: the server does not start"
    load seconds=1 text=400 seed=1
    # All that is left of the memory.
    dd if=/dev/zero of="$work/memory/filler" bs=64k status=none 2>/dev/null || true
    load seconds=60 text=400 stop=unavailable seed="$((rounds + 1))"
    failed_ms="$(date +%s%3N)"
    server_is_alive || fail "$where: the server died, with $server_status"
    ended="$(tail -1 "$work/clients.log")"
    if [[ $ended == *read_only* ]]; then
        outcome=poisoned
        is_poisoned || fail "$where: the server still takes writes"
        poisoned_server "$where" "$level"
    else
        outcome=full
        full_server "$where" "$ended"
    fi
    outcomes[$outcome]=$((${outcomes[$outcome]:-0} + 1))
    umount "$work/disk"
    rm "$work/memory/filler"
    e2fsck -p "$loop" >/dev/null 2>&1 || (($? < 4)) || fail "$where: the file system cannot be repaired"
    mount "$loop" "$work/disk"
    server_start "$store" "$level" 8MiB || fail "$where: the next start fails: $(tail -1 "$work/server.log")"
    # What level interval had not synced is what the disk has lost.
    if [[ $level == interval ]]; then
        check cut="$failed_ms" lost-ms=$((INTERVAL_MS + SYNC_MS_MAX))
    else
        check
    fi
    server_stop
    ((server_status == 0)) || fail "$where: the server ended with $server_status"
    umount "$work/disk"
    losetup -d "$loop"
    mounts=("$work/memory")
    loops=()
    rm "$work/memory/image"
}

readonly WRITE_BACKS=6
outcomes=()
for ((rounds = 1; rounds <= WRITE_BACKS; rounds++)); do
    one_write_back "${LEVELS[rounds % 2]}"
done
echo "$name: (b) $WRITE_BACKS failed write backs of ext4: ${outcomes[poisoned]:-0} poisoned, ${outcomes[full]:-0} full;" \
    "nothing was lost or there twice"
