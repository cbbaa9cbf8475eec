#!/usr/bin/env bash
# Kills the real server N times under load; everything it acknowledged must be there exactly once.
#
#   tests/faults/kill-loop.sh N [SEED]
#
# ANNALS_BIN names the server's program (default: built here). Exits with 1 if anything is lost or there twice,
# and then leaves the store and the server's log in place and says where.

set -euo pipefail
if (($# < 1 || $# > 2)); then
    sed -n '2,7p' "$0" | cut -c3- >&2
    exit 2
fi
rounds="$1"
seed="${2:-$(od -An -N4 -tu4 /dev/urandom | tr -d ' ')}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target="${CARGO_TARGET_DIR:-target}"
if [[ -z "${ANNALS_BIN:-}" ]]; then
    cargo build --quiet -p annals
    ANNALS_BIN="$target/debug/annals"
fi
cargo build --quiet -p annals-faults
work="$(mktemp -d)"
if "$target/debug/annals-faults" kill-loop "$ANNALS_BIN" "$work" "$rounds" "$seed"; then
    rm -rf "$work"
else
    echo "the store and the server's log are in $work; again: $0 $rounds $seed" >&2
    exit 1
fi
