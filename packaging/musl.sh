#!/usr/bin/env bash
# Builds the binary that needs nothing of the machine it runs on, and the folder that packaging/Containerfile makes an
# image of:
#
#   packaging/musl.sh
#
# target/packages/image/annals is the binary. Needs cargo with the target (`rustup target add x86_64-unknown-linux-musl`;
# the script says so where it is missing) and Debian's musl-tools. packaging/lib.sh has the variables.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly TARGET="$(uname -m)-unknown-linux-musl"
if [[ ! -d "$(rustc --print target-libdir --target "$TARGET")" ]]; then
    echo "packaging/musl.sh: the toolchain has no $TARGET: rustup target add $TARGET" >&2
    exit 1
fi
command -v musl-gcc >/dev/null || { echo "packaging/musl.sh: there is no musl-gcc (Debian's musl-tools)" >&2; exit 1; }
export "CC_${TARGET//-/_}=musl-gcc"

build "$TARGET"

image="$OUT/image"
rm -rf "$image"
mkdir -p "$image/data"
cp "$binary" "$image/annals"
bash packaging/third-party.sh "$TARGET" >"$image/third-party.txt"
if readelf --program-headers "$image/annals" | grep -q INTERP; then
    echo "packaging/musl.sh: $image/annals is not static" >&2
    exit 1
fi
ls -l "$image/annals"
