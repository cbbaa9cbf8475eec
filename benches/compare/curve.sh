#!/usr/bin/env bash
# What the size of payload blocks, their level and a trained dictionary give: bytes, CPU of sealing, time of a page.
#
#   bash benches/compare/curve.sh FILE.ndjson[.zst|.gz]... [-- EVENTS]
#
# The engine has constants for these, no options: for each point a copy of the sources below target/curve is changed,
# built and run over each file. Compaction is not part of it. Several minutes of building.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
work=$root/target/curve
files=()
events=()
while [ $# -gt 0 ]; do
    case $1 in
    --) events=(--events "${2:?how many events}"); shift 2 ;;
    *) files+=("$(realpath "$1")"); shift ;;
    esac
done
[ ${#files[@]} -gt 0 ] || { echo "curve.sh FILE... [-- EVENTS]" >&2; exit 2; }

# Block size in KiB, level, dictionary.
points=(
    "4 1 trained" "4 1 none" "8 1 trained" "8 1 none" "16 1 trained" "16 1 none" "32 1 trained"
    "64 1 none" "64 3 trained" "64 6 trained" "256 6 trained"
)

mkdir -p "$work"
trap 'rm -rf "$work"' EXIT
for name in Cargo.toml Cargo.lock crates benches tests; do
    rm -rf "${work:?}/$name"
    cp -a "$root/$name" "$work/$name"
done

# Replaces what a constant is; the name must be there once.
set_constant() {
    local file=$work/crates/annals-engine/src/segment/$1 name=$2 value=$3
    sed -i -E "s|^((pub\\(super\\) )?const $name: [^=]+=) [^;]+;|\\1 $value;|" "$file"
    [ "$(grep -F "const $name: " "$file" | grep -cF "= $value;")" -eq 1 ] || { echo "$file has no constant $name any more" >&2; exit 1; }
}

declare -A tables
for point in "${points[@]}"; do
    read -r size level dictionary <<<"$point"
    set_constant blocks.rs FRESH "Packing { block_size: $size << 10, level: $level }"
    if [ "$dictionary" = none ]; then pays=u64::MAX; else pays="32 << 20"; fi
    set_constant payload.rs DICTIONARY_PAYS "$pays"
    cargo build --quiet --release --manifest-path "$work/benches/compare/Cargo.toml" --target-dir "$root/target/compare"
    cp "$root/target/compare/release/annals-compare" "$work/annals-compare"
    for file in "${files[@]}"; do
        echo "$point: $(basename "$file")" >&2
        label="$size KiB, level $level, dictionary $dictionary"
        tables[$file]+=$("$work/annals-compare" point "$label" "$work" --input "$file" "${events[@]}")$'\n'
    done
done
for file in "${files[@]}"; do
    printf '\n%s\n\n| payload blocks | segment bytes per event | CPU us per event, sealed | Q1 ms | Q3 ms | Q9 ms |\n' "$(basename "$file")"
    printf '| --- | ---: | ---: | ---: | ---: | ---: |\n%s' "${tables[$file]}"
done
