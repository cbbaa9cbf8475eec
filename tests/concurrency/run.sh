#!/usr/bin/env bash
# Looks at what threads do to each other, and at what is unsafe:
#
#   tests/concurrency/run.sh [--require] [SCHEDULES]
#
# loom      every order that the memory model allows, of watermarks, live rows, snapshots and waiting
# shuttle   SCHEDULES (10,000) orders of the whole engine on a simulated disk, for each of three scenarios
# miri      the memory maps, also under tree borrows; needs a nightly toolchain with miri, and is left out with a
#           word where there is none, or fails there with --require
#
# SCHEDULE_SEED   the seed of the schedules (1). A schedule that fails is printed, and the same seed finds it again.
# Builds go below target/model*, since they are made of other locks than the product.

set -euo pipefail
require=false
schedules=10000
for argument in "$@"; do
    case "$argument" in
    --require) require=true ;;
    *[!0-9]* | '')
        sed -n '2,12p' "$0" | cut -c3- >&2
        exit 2
        ;;
    *) schedules="$argument" ;;
    esac
done
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

echo "--- loom: cargo test -p annals-engine --lib threading::models"
RUSTFLAGS="--cfg loom" cargo test --quiet -p annals-engine --lib --target-dir target/model-loom threading::models

echo "--- shuttle: cargo test -p annals-sim --test schedules, $schedules schedules each"
RUSTFLAGS="--cfg shuttle" SCHEDULES="$schedules" \
    cargo test --quiet -p annals-sim --test schedules --target-dir target/model

if cargo +nightly miri --version >/dev/null 2>&1; then
    for flags in "" "-Zmiri-tree-borrows"; do
        echo "--- miri ${flags:-with stacked borrows}: cargo +nightly miri test -p annals-engine --lib map::"
        MIRIFLAGS="-Zmiri-disable-isolation $flags" cargo +nightly miri test --quiet -p annals-engine --lib \
            --target-dir target/miri map::
    done
elif "$require"; then
    echo "miri: there is no nightly toolchain with miri (rustup +nightly component add miri)" >&2
    exit 1
else
    echo "SKIPPED: miri, there is no nightly toolchain with miri (rustup +nightly component add miri)"
fi
