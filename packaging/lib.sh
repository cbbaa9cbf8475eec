# What the packaging scripts share; sourced, not run.
#
# Builds go below target/packages/build, apart from those of everyday work, since other flags build them. No path
# of this machine gets into a binary, and no time but that of the commit into a package.
#
# ANNALS_COMMIT       the commit, for a tree without git (git's own; with `-modified` behind it if the tree is changed)
# SOURCE_DATE_EPOCH   the time of what is packed, seconds since 1970 (that of the commit)

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
readonly ROOT="$PWD"
readonly OUT="$ROOT/target/packages"
readonly TOOLS="$ROOT/target/tools"
export CARGO_TARGET_DIR="$OUT/build"
export CARGO_INCREMENTAL=0
export LC_ALL=C TZ=UTC

# What the binary says of the commit. Git tells; an archive without it has to be told.
name_commit() {
    if [[ -z "${ANNALS_COMMIT+set}" && "$(git rev-parse --show-toplevel 2>/dev/null)" == "$ROOT" ]]; then
        ANNALS_COMMIT="$(git rev-parse HEAD)"
        if [[ -z "${SOURCE_DATE_EPOCH:-}" ]]; then
            SOURCE_DATE_EPOCH="$(git show --no-patch --format=%ct HEAD)"
        fi
        [[ -z "$(git status --porcelain)" ]] || ANNALS_COMMIT+=-modified
    fi
    export ANNALS_COMMIT="${ANNALS_COMMIT:-}"
    export SOURCE_DATE_EPOCH="${SOURCE_DATE_EPOCH:-0}"
}

# Has the compilers put down where sources lie on no machine.
hide_paths() {
    local cargo_home="${CARGO_HOME:-$HOME/.cargo}" folder
    local flags="--remap-path-prefix=$ROOT=/annals" c_flags="-ffile-prefix-map=$ROOT=/annals"
    flags+=$'\x1f'"--remap-path-prefix=$(rustc --print sysroot)=/rust"
    # A folder for each registry, whose name goes by the address of the registry.
    cargo fetch --locked --quiet
    for folder in "$cargo_home"/registry/src/*/; do
        flags+=$'\x1f'"--remap-path-prefix=${folder%/}=/crates"
        c_flags+=" -ffile-prefix-map=${folder%/}=/crates"
    done
    export CARGO_ENCODED_RUSTFLAGS="$flags${MORE_RUSTFLAGS:+$'\x1f'$MORE_RUSTFLAGS}"
    export CFLAGS="${CFLAGS:+$CFLAGS }$c_flags"
}

# build TARGET: the binary for it, in $binary.
build() {
    local target="$1"
    name_commit
    hide_paths
    cargo build --locked --release -p annals --target "$target"
    binary="$CARGO_TARGET_DIR/$target/release/annals"
    local place
    for place in "$ROOT" "${CARGO_HOME:-$HOME/.cargo}" "$(rustc --print sysroot)"; do
        if grep --quiet --text --fixed-strings "$place/" "$binary"; then
            echo "$binary names $place, a place of this machine" >&2
            return 1
        fi
    done
}
