#!/usr/bin/env bash
# Fills the disk of the real server: a small tmpfs, then a small ext4 in a file. Appends must be refused (503 disk_full)
# and nothing of them be stored; reads, deletes and marks go on, also after a kill and a start on the full disk; when there
# is room again, made by others or by a clean-up, appends resume by themselves. The server never dies (a store into a
# map on a full tmpfs would raise SIGBUS), and nothing acknowledged is lost or there twice.
#
#   tests/faults/disk-full.sh [--require] [ROUNDS] [KIND...]
#
# ROUNDS for each KIND (tmpfs of 16 MiB, ext4 of 32 MiB), 1 if not given; levels sync, interval and buffered take turns.
# Needs root; ext4 also loop devices and mkfs.ext4. ANNALS_BIN names the server's program.
#
# All of the long run: tests/faults/disk-full.sh 12

source "$(dirname "$0")/lib.sh"
begin "$@"
rounds="${arguments[0]:-1}"
[[ "$rounds" =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
kinds=("${arguments[@]:1}")
((${#kinds[@]} > 0)) || kinds=(tmpfs ext4)
needs_root
needs mount curl pgrep losetup mkfs.ext4
prepare

readonly LEVELS=(sync interval buffered)

is_up() {
    server_is_alive || fail "$where: the server died, with $server_status"
}

# tries SETTING...: writes until an append is refused, which must be for the full disk; 0 if none was taken before.
tries() {
    local said
    load seconds=120 stop=unavailable only=appends "$@"
    is_up
    said="$(tail -1 "$work/clients.log")"
    [[ "$said" == *"ended by: disk_full" ]] || fail "$where: $said"
    [[ "$said" == "load: 0 batches"* ]]
}

# fill SEED: writes until the disk is full and stays so: sealing and merging, tried again every second, give room back
# for a while, and a small event may fit where a large one did not.
fill() {
    local number seed="$1" refused=0
    for ((number = 0; number < 100; number++)); do
        tries text=400 seed="$((seed * 1000 + number))" || true
        if tries events=20 connections=1 seed="$((seed * 1000 + 500 + number))"; then
            refused=$((refused + 1))
            ((refused < 3)) || return 0
            sleep 1
        else
            refused=0
        fi
    done
    fail "$where: the disk does not stay full"
}

# works_while_full: what goes on.
works_while_full() {
    local said
    [[ "$(status_of /readyz)" == 503 ]] || fail "$where: /readyz says that the server is ready"
    [[ "$(status_of /healthz)" == 200 ]] || fail "$where: /healthz is not 200"
    check open=leave
    # Few enough for the 64 KiB of the log that are kept for changes.
    load calls=20 only=changes seed="$1"
    said="$(tail -1 "$work/clients.log")"
    [[ "$said" != *" and 0 changes acknowledged"* ]] || fail "$where: deletes and marks do not go on: $said"
    check open=leave
    is_up
}

# resumes: appends are taken again without anybody's doing.
resumes() {
    local number
    for ((number = 0; number < 20; number++)); do
        load seconds=1 events=5 connections=1 seed="$((RANDOM + number))" only=appends stop=unavailable
        is_up
        if [[ "$(tail -1 "$work/clients.log")" != *" 0 batches"* ]]; then
            return
        fi
        sleep 0.5
    done
    fail "$where: appends do not resume: $(tail -1 "$work/clients.log")"
}

one_round() {
    local kind="$1" number="$2" level filler="$folder/filler"
    level="${LEVELS[number % 3]}"
    where="$kind, round $number, $level"
    rm -rf "$store" "$acknowledged"
    # What others have on this disk.
    head -c "$((RANDOM * 16 + (5 << 20)))" /dev/zero >"$filler"
    server_start "$store" "$level" 1MiB || fail "$where: the server does not start"
    fill "$((number * 10))"
    works_while_full "$((number * 10 + 1))"
    server_kill
    server_start "$store" "$level" 1MiB || fail "$where: it does not start on a full disk: $(tail -1 "$work/server.log")"
    check open=leave
    rm "$filler"
    resumes
    check
    fill "$((number * 10 + 2))"
    works_while_full "$((number * 10 + 3))"
    # Every event of the clients is of January 2026.
    [[ "$(status_of /api/v1/events/cleanup -d '{"retention_days":30}')" == 200 ]] || fail "$where: the clean-up is refused"
    is_up
    # From here on nothing of what was before may be there.
    rm "$acknowledged"
    resumes
    check
    server_stop
    ((server_status == 0)) || fail "$where: the server ended with $server_status"
    server_start "$store" "$level" 1MiB || fail "$where: the last start fails: $(tail -1 "$work/server.log")"
    check
    server_stop
    ((server_status == 0)) || fail "$where: the server ended with $server_status"
    [[ -z "${VERBOSE:-}" ]] || echo "$where: good"
}

for kind in "${kinds[@]}"; do
    folder="$work/$kind"
    mkdir -p "$folder"
    case "$kind" in
        tmpfs)
            mount -t tmpfs -o size=16M tmpfs "$folder" || skip "no tmpfs can be mounted"
            mounts+=("$folder")
            ;;
        ext4) image ext4 32M "$work/image" "$folder" ;;
        *) usage >&2; exit 2 ;;
    esac
    store="$folder/store"
    for ((number = 0; number < rounds; number++)); do
        one_round "$kind" "$number"
    done
    detach_all
done
echo "$name: $((rounds * ${#kinds[@]})) rounds (${kinds[*]}), each full twice; nothing was lost or there twice"
