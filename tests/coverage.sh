#!/usr/bin/env bash
# Which lines of the engine the whole suite runs:
#
#   tests/coverage.sh [FOLDER]
#
# FOLDER gets lines.txt, a table by file, and missed.txt, the lines that nothing runs (target/coverage). Needs LLVM's
# llvm-cov and llvm-profdata, 19 or newer: of the toolchain (rustup component add llvm-tools) or of the system (Debian:
# apt-get install llvm-19).

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly FOLDER="${1:-target/coverage}"
readonly VERSION=0.9.1
readonly TOOLS="$PWD/target/tools"
export PATH="$TOOLS/bin:$PATH"

if ! ls "$(rustc --print sysroot)"/lib/rustlib/*/bin/llvm-cov >/dev/null 2>&1; then
    for version in 22 21 20 19; do
        if command -v "llvm-cov-$version" >/dev/null; then
            LLVM_COV="$(command -v "llvm-cov-$version")"
            LLVM_PROFDATA="$(command -v "llvm-profdata-$version")"
            export LLVM_COV LLVM_PROFDATA
            break
        fi
    done
    if [[ -z "${LLVM_COV:-}" ]]; then
        echo "there is no llvm-cov, 19 or newer: rustup component add llvm-tools, or apt-get install llvm-19" >&2
        exit 1
    fi
fi
if [[ "$(cargo llvm-cov --version 2>/dev/null || true)" != "cargo-llvm-cov $VERSION" ]]; then
    cargo install cargo-llvm-cov --locked --version "$VERSION" --root "$TOOLS"
fi
mkdir -p "$FOLDER"
readonly ONLY=(--ignore-filename-regex '(/tests?/|tests\.rs$|models\.rs$|crates/annals-(sim|server|query|json|generate|bench)/|crates/annals/|benches/|/rustc/|registry/)')
cargo llvm-cov --workspace --no-report
cargo llvm-cov report "${ONLY[@]}" --summary-only | tee "$FOLDER/lines.txt"
cargo llvm-cov report "${ONLY[@]}" --show-missing-lines --summary-only | sed -n '/^Uncovered Lines/,$p' >"$FOLDER/missed.txt"
