#!/usr/bin/env bash
# The licences of everything that is linked into the binary, to standard output:
#
#   packaging/third-party.sh [TARGET]

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
target="${1:-x86_64-unknown-linux-gnu}"
registry="${CARGO_HOME:-$HOME/.cargo}/registry/src"

echo "The binary of Annals is linked with the standard library of Rust (MIT or Apache-2.0) and these crates, which may"
echo "hold code in C. Where a crate may be had under the MIT licence among others, that is the one taken."

# licences FOLDER: the files with the licences of a crate.
licences() {
    local found
    found="$(find "$1" -maxdepth 2 -type f -iname '*LICEN[CS]E*MIT*')"
    [[ -n "$found" ]] || found="$(find "$1" -maxdepth 2 -type f \
        \( -iname 'LICEN[CS]E*' -o -iname 'COPYING*' -o -iname 'NOTICE*' -o -iname 'UNLICENSE*' \))"
    # Code of others within a crate.
    found+=$'\n'"$(find "$1" -mindepth 2 -maxdepth 2 -type f -iname 'LICEN[CS]E*')"
    sort -u <<<"$found" | sed '/^$/d'
}

cargo tree --locked -p annals --edges normal --target "$target" --prefix none --format '{p}|{l}' |
    sed -n 's/^\([^ ]*\) v\([^ |]*\)\( (proc-macro)\)\?|\([^*]*\).*$/\1 \2 \4/p' | sort -u |
    while read -r name version licence; do
        printf '\n==== %s %s: %s\n' "$name" "$version" "$licence"
        for folder in "$registry"/*/"$name-$version"; do
            licences "$folder" | while read -r file; do
                printf '\n-- %s\n\n' "${file#"$folder"/}"
                cat "$file"
            done
            break
        done
    done
