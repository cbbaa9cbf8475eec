# What the scripts here share; sourced, not run.
#
# A script sources this, calls `begin "$@"` and has then: $work (a folder that goes when it ends), $ANNALS_BIN, $faults
# (the clients), $acknowledged (their log, not on the disk that fails) and the words in `arguments`. Whatever it mounts, attaches or starts through the functions below is undone when it ends,
# also by Ctrl-C. Exit codes: 0 nothing lost, 1 a failure (the folder stays and is named), 2 wrong arguments, 77 the
# machine does not allow it (with --require: 1).

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

readonly EXIT_SKIPPED=77
export ANNALS_ADMIN_KEY=kill-loop-administrator
export ANNALS_LOG="${ANNALS_LOG:-warn}"

name="$(basename "$0" .sh)"
require=no
arguments=()
mounts=()
loops=()
# Folders beside $work that go too.
folders=()
server_pid=
address=
keep=no

# The script's own header, up to the first line that is no comment.
usage() {
    awk 'NR > 1 { if (!/^#/) exit; sub(/^# ?/, ""); print }' "$0"
}

begin() {
    local word
    for word in "$@"; do
        case "$word" in
            --help | -h) usage; exit 0 ;;
            --require) require=yes ;;
            -*) usage >&2; exit 2 ;;
            *) arguments+=("$word") ;;
        esac
    done
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
}

# Builds what is run and makes the folder; after the script has found that the machine allows it.
prepare() {
    local target="${CARGO_TARGET_DIR:-target}"
    if [[ -z "${ANNALS_BIN:-}" ]]; then
        cargo build --quiet -p annals
        ANNALS_BIN="$target/debug/annals"
    fi
    cargo build --quiet -p annals-faults
    faults="$target/debug/annals-faults"
    work="$(mktemp -d)"
    acknowledged="$work/acknowledged"
}

# skip WORDS: the machine does not allow it.
skip() {
    if [[ $require == yes ]]; then
        echo "$name: FAILED: $* (--require)" >&2
        exit 1
    fi
    echo "$name: SKIPPED: $*" >&2
    exit $EXIT_SKIPPED
}

# fail WORDS: what was promised does not hold. The folder stays.
fail() {
    keep=yes
    echo "$name: FAILED: $*" >&2
    exit 1
}

# needs PROGRAM...: skips if one is missing.
needs() {
    local program
    for program in "$@"; do
        command -v "$program" >/dev/null || skip "there is no $program"
    done
}

needs_root() {
    ((EUID == 0)) || skip "only root may mount"
}

finish() {
    local status=$? index
    trap - EXIT INT TERM
    set +e
    server_kill
    if ((status != 0 && status != EXIT_SKIPPED)) && [[ -n "${work:-}" ]]; then
        keep=yes
    fi
    if [[ $keep == yes && -n "${store:-}" && -d "$store" && ${#mounts[@]} -gt 0 ]]; then
        cp -a --sparse=always "$store" "$work/left-over" 2>/dev/null
    fi
    for ((index = ${#mounts[@]} - 1; index >= 0; index--)); do
        umount "${mounts[index]}" 2>/dev/null || umount -l "${mounts[index]}" 2>/dev/null
    done
    for ((index = ${#loops[@]} - 1; index >= 0; index--)); do
        losetup -d "${loops[index]}" 2>/dev/null
    done
    ((${#folders[@]} == 0)) || rm -rf "${folders[@]}"
    if [[ -n "${work:-}" ]]; then
        if [[ $keep == yes ]]; then
            echo "$name: store, server.log and the log of acknowledgements are in $work" >&2
        else
            rm -rf "$work"
        fi
    fi
    exit "$status"
}

# server_start STORE LEVEL LOG_SIZE [COMMAND...]: starts the server, below COMMAND if given, and waits until it is
# ready. Gives 1 if it ends before. Sets server_pid and address.
server_start() {
    local data="$1" level="$2" log_size="$3" log="$work/server.log" begun
    shift 3
    touch "$log"
    begun="$(wc -l <"$log")"
    # In a shell of its own, which says into the log that the server was killed.
    (
        "$@" "$ANNALS_BIN" serve --data "$data" --durability "$level" --log-size "$log_size" --listen 127.0.0.1:0
        exit $?
    ) >>"$log" 2>&1 &
    server_pid=$!
    address=
    local tries
    for ((tries = 0; tries < 3000; tries++)); do
        kill -0 "$server_pid" 2>/dev/null || { server_gone; return 1; }
        if [[ -z "$address" ]]; then
            address="$(tail -n +"$((begun + 1))" "$log" | sed -n 's|^annals listens on http://\([0-9.:]*\),.*|\1|p' | tail -1)"
        elif [[ "$(status_of /readyz)" =~ ^(200|503)$ ]]; then
            return 0
        fi
        sleep 0.02
    done
    fail "the server was not there in time"
}

# The process that serves: the last one of those below the shell that started it.
served_by() {
    local process="$server_pid" child
    while child="$(pgrep -P "$process" | head -1)" && [[ -n "$child" ]]; do
        process="$child"
    done
    echo "$process"
}

server_gone() {
    server_status=0
    wait "$server_pid" 2>/dev/null || server_status=$?
    server_pid=
}

# kill -9, and waits.
server_kill() {
    [[ -n "$server_pid" ]] || return 0
    kill -9 "$(served_by)" 2>/dev/null || true
    server_gone
}

# SIGTERM, and waits; server_status is its exit code.
server_stop() {
    [[ -n "$server_pid" ]] || return 0
    kill -TERM "$(served_by)" 2>/dev/null || true
    server_gone
}

# Whether the server goes on; if not, server_status is its exit code.
server_is_alive() {
    [[ -n "$server_pid" ]] || return 1
    # A client may have seen the end of it before we do.
    if tail -1 "$work/clients.log" 2>/dev/null | grep -q 'the server is gone' || ! kill -0 "$server_pid" 2>/dev/null; then
        server_gone
        return 1
    fi
}

# status_of PATH [CURL ARGUMENTS...]: the status of a call, 000 without an answer.
status_of() {
    local path="$1"
    shift
    curl -s -o /dev/null -m 60 -w '%{http_code}' -H "Authorization: Bearer $ANNALS_ADMIN_KEY" "$@" \
        "http://$address$path" || true
}

# body_of PATH [CURL ARGUMENTS...]: the body of a call.
body_of() {
    local path="$1"
    shift
    curl -s -m 60 -H "Authorization: Bearer $ANNALS_ADMIN_KEY" "$@" "http://$address$path" || true
}

# load SETTINGS...: the clients write to the server; see tests/faults/src/main.rs.
load() {
    "$faults" load "$address" "$acknowledged" "$@" >>"$work/clients.log" 2>&1 || fail "$(tail -1 "$work/clients.log")"
}

# check SETTINGS...: everything acknowledged is there, once; the last line of clients.log says how much.
check() {
    "$faults" check "$address" "$acknowledged" "$@" >>"$work/clients.log" 2>&1 || fail "$(tail -1 "$work/clients.log")"
}

# image KIND SIZE FILE FOLDER: a file system in a file, mounted.
image() {
    local kind="$1" size="$2" file="$3" folder="$4"
    truncate -s "$size" "$file"
    case "$kind" in
        ext4) mkfs.ext4 -q -F "$file" ;;
        xfs) mkfs.xfs -q -f "$file" ;;
    esac
    attach "$file"
    mkdir -p "$folder"
    mount "$loop" "$folder" || skip "a file system in a file cannot be mounted"
    mounts+=("$folder")
}

# attach FILE: a loop device for it, in $loop.
attach() {
    loop="$(losetup --find --show "$1" 2>/dev/null)" || skip "there is no free loop device"
    loops+=("$loop")
}

# detach_all: unmounts and detaches everything.
detach_all() {
    local index
    for ((index = ${#mounts[@]} - 1; index >= 0; index--)); do
        umount "${mounts[index]}"
    done
    for ((index = ${#loops[@]} - 1; index >= 0; index--)); do
        losetup -d "${loops[index]}"
    done
    mounts=()
    loops=()
}
