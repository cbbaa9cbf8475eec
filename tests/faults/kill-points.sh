#!/usr/bin/env bash
# Kills the real server under load at exact system calls: the N-th fdatasync, pwrite64, ... of a thread is not made,
# the process dies in front of it. Everything acknowledged must be there exactly once after the next start.
#
#   tests/faults/kill-points.sh [--require] [POINTS] [CALL...]
#
# POINTS is `quick` (1 2 3 5 8 13 21 34, the default), a number (1 to that number) or a list such as 7,40,41; CALL one or
# more of fdatasync pwrite64 rename fsync fallocate unlink (all). The first kills fall into the making of the store,
# every fourth round begins a new one. Needs strace. ANNALS_BIN names the server's program (default: built here).
#
# All of the long run: tests/faults/kill-points.sh 100

source "$(dirname "$0")/lib.sh"
begin "$@"
needs strace curl pgrep
strace -qq -o /dev/null true 2>/dev/null || skip "strace may not trace here"
prepare

readonly CALLS_ALL=(fdatasync pwrite64 rename fsync fallocate unlink)
case "${arguments[0]:-quick}" in
    quick) points=(1 2 3 5 8 13 21 34) ;;
    *,*) IFS=, read -r -a points <<<"${arguments[0]}" ;;
    *[!0-9]*) usage >&2; exit 2 ;;
    *) mapfile -t points < <(seq "${arguments[0]}") ;;
esac
calls=("${arguments[@]:1}")
((${#calls[@]} > 0)) || calls=("${CALLS_ALL[@]}")
readonly LEVELS=(sync interval buffered)
readonly SIGKILL=9

store="$work/store"
round=0
reached=0
for point in "${points[@]}"; do
    for call in "${calls[@]}"; do
        if ((round % 4 == 0)); then
            rm -rf "$store" "$acknowledged"
        fi
        level="${LEVELS[round % 3]}"
        where="round $round, $level, in front of $call number $point"
        died=reached
        # Without --seccomp-bpf: with it strace 6.1 does not count the calls.
        if server_start "$store" "$level" 1MiB strace -f -qq -o /dev/null -e "trace=$call" \
            -e "inject=$call:signal=SIGKILL:when=$point"; then
            # Large events: logs are full, and sealed, several times a second.
            load seconds=2 text=400 seed="$round"
            if server_is_alive; then
                died="not reached"
                server_kill
            fi
        fi
        if [[ $died == reached ]]; then
            ((server_status == 128 + SIGKILL)) || fail "$where: the server ended by itself, with $server_status"
            reached=$((reached + 1))
        fi
        server_start "$store" "$level" 1MiB || fail "$where: the next start fails: $(tail -1 "$work/server.log")"
        check || fail "$where"
        server_stop
        ((server_status == 0)) || fail "$where: the server ended with $server_status"
        [[ -z "${VERBOSE:-}" ]] || echo "$where: $died, $(tail -1 "$work/clients.log")"
        round=$((round + 1))
    done
done
((reached > 0)) || fail "no call was ever reached: nothing was tested"
echo "$name: $round rounds, $reached of them died at their call, the others were killed after 2 s; nothing was lost or there twice"
