#!/usr/bin/env bash
# Builds the Debian package:
#
#   packaging/deb.sh [OUTPUT]
#
# OUTPUT (target/packages/annals.deb) is its file. Needs cargo, and of Debian dpkg-dev and a C compiler. cargo-deb is
# installed below target/tools unless it is there. packaging/lib.sh has the variables.

. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly CARGO_DEB_VERSION=3.8.0
readonly TARGET="$(rustc --print host-tuple)"
output="$(realpath -m "${1:-$OUT/annals.deb}")"

command -v dpkg-shlibdeps >/dev/null || { echo "packaging/deb.sh: there is no dpkg-shlibdeps (Debian's dpkg-dev)" >&2; exit 1; }
if [[ "$("$TOOLS/bin/cargo-deb" --version 2>/dev/null || true)" != *"$CARGO_DEB_VERSION"* ]]; then
    CARGO_TARGET_DIR="$ROOT/target/tools-build" \
        cargo install cargo-deb --locked --version "$CARGO_DEB_VERSION" --root "$TOOLS"
fi

build "$TARGET"

assets="$OUT/assets"
rm -rf "$assets"
mkdir -p "$assets"/{doc,man,bash,zsh,fish}
"$binary" man "$assets/man"
"$binary" completions bash >"$assets/bash/annals"
"$binary" completions zsh >"$assets/zsh/_annals"
"$binary" completions fish >"$assets/fish/annals.fish"
cp CHANGELOG.md "$assets/doc/"
bash packaging/third-party.sh "$TARGET" >"$assets/doc/third-party.txt"
# Without a time and a name in it, as Debian has it.
gzip -9n "$assets"/man/* "$assets"/doc/*
# The settings that the package brings are understood by the binary that it brings; the key is made by the installation.
sed '/^admin_key_file/d' packaging/debian/annals.toml >"$assets/annals.toml"
"$binary" config check "$assets/annals.toml"

# Names of functions stay in the binary, for backtraces.
"$TOOLS/bin/cargo-deb" deb --package annals --target "$TARGET" --no-build --no-strip --locked --output "$output"
dpkg-deb --info "$output"
