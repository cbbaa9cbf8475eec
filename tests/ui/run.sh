#!/usr/bin/env bash
# The page in a real browser against a real server: `bash tests/ui/run.sh [FILE...]`, without files all tests.
#
# Makes a store of a million events by the command line, serves it, drives the page in it as a person does, and ends
# everything. Exit code 77: something is missing that cannot be had here (setup.sh says what).
#
# ANNALS_BIN   the binary to test (built as release if it is not set)
# UI_EVENTS    events in the store (1000000)
# UI_FILES     a folder to take the page's files from instead of the binary's, for whoever works on them
# UI_JUDGE     1: what speed.test.mjs measures is held against its bars, which are for a machine that does nothing else
# CHROMIUM     the browser (/usr/bin/chromium)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
readonly ROOT="$PWD/../.."
export UI_EVENTS="${UI_EVENTS:-1000000}"
export UI_ADMIN_KEY=the-administrators-key-of-the-tests
export ANNALS_ADMIN_KEY="$UI_ADMIN_KEY"
export ANNALS_LOG=warn

bash setup.sh
if [[ -z "${ANNALS_BIN:-}" ]]; then
    cargo build --quiet --release -p annals --manifest-path "$ROOT/Cargo.toml"
    ANNALS_BIN="${CARGO_TARGET_DIR:-$ROOT/target}/release/annals"
fi
ANNALS_BIN="$(realpath "$ANNALS_BIN")"
export ANNALS_BIN

work="$(mktemp -d)"
server_pid=
finish() {
    local status=$?
    if [[ -n "$server_pid" ]] && kill "$server_pid" 2>/dev/null; then
        wait "$server_pid" || true
    fi
    ((status == 0)) || tail -5 "$work/server.log" 2>/dev/null || true
    rm -rf "$work"
    exit "$status"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "--- $("$ANNALS_BIN" --version), $(${CHROMIUM:-chromium} --version 2>/dev/null), node $(node --version)"
"$ANNALS_BIN" generate --count "$UI_EVENTS" | "$ANNALS_BIN" import --data "$work/store" - 2>&1 | tail -1
: >"$work/server.log"
"$ANNALS_BIN" serve --data "$work/store" --listen 127.0.0.1:0 >>"$work/server.log" 2>&1 &
server_pid=$!
for ((round = 0; round < 600; round++)); do
    UI_URL="$(sed -n 's|^annals listens on \(http://[0-9.:]*\),.*|\1|p' "$work/server.log")"
    [[ -z "$UI_URL" ]] || break
    kill -0 "$server_pid"
    sleep 0.1
done
export UI_URL
echo "--- $UI_EVENTS events at $UI_URL/ui/"

if (($# > 0)); then files=("$@"); else files=(*.test.mjs); fi
# One after the other: they share a server, and what is measured must not be disturbed.
node --test --test-concurrency=1 --test-reporter=spec --test-timeout=1800000 "${files[@]}"
