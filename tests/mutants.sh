#!/usr/bin/env bash
# Are the tests any good? Puts one small defect after the other into what decides whether data survives, and looks
# whether a test fails: log, frames, recovery, manifest, deletes and their files, retention.
#
#   tests/mutants.sh [FOLDER]
#
# FOLDER holds the results (target/mutants): caught.txt, missed.txt, timeout.txt, unviable.txt. Three passes, each on
# what the one before has missed: the unit tests of those files, which are quick; then the simulated power cuts; then
# every test of the engine. What only prints a value for developers (Debug) is left out. Takes hours. Run again with the
# same FOLDER, it goes on with what was missed.
#
# JOBS   mutants at a time (2)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly FOLDER="${1:-target/mutants}"
readonly JOBS="${JOBS:-2}"
readonly VERSION=27.1.0
readonly TOOLS="$PWD/target/tools"
export PATH="$TOOLS/bin:$PATH"
# A mutant is built once and run once: what is quick to build is quick.
export CARGO_PROFILE_DEV_OPT_LEVEL=0 CARGO_PROFILE_DEV_DEBUG=0 CARGO_INCREMENTAL=1

if [[ "$(cargo mutants --version 2>/dev/null || true)" != "cargo-mutants $VERSION" ]]; then
    cargo install cargo-mutants --locked --version "$VERSION" --root "$TOOLS"
fi
files=()
for name in log/scan log/recover log/file log/header frame manifest/mod manifest/store control overlay overlay_file \
    housekeeping replay; do
    files+=(--file "crates/annals-engine/src/$name.rs")
done
mkdir -p "$FOLDER"
common=(--package annals-engine "${files[@]}" --exclude-re 'Debug for' --output "$FOLDER" --jobs "$JOBS"
    --minimum-test-timeout 30 --no-shuffle --iterate --baseline skip)

# A missed mutant is a result, not a failure of this script: the last pass says what is left.
cargo mutants "${common[@]}" --timeout 30 -- --lib -- \
    log:: frame:: manifest:: control:: overlay housekeeping replay format_examples || true
cargo mutants "${common[@]}" --timeout 150 --test-package annals-sim -- --test crashes || true
cargo mutants "${common[@]}" --timeout 600 -- --lib --test faults || true
retention=(--package annals-server --file 'crates/annals-server/src/retention/*.rs' --exclude-re 'Debug for')
cargo mutants "${retention[@]}" --output "$FOLDER/server" --jobs "$JOBS" --iterate --baseline skip --timeout 300 \
    -- --lib --test retention -- retention || true
wc -l "$FOLDER"/mutants.out/{caught,missed,timeout,unviable}.txt "$FOLDER"/server/mutants.out/{caught,missed}.txt
