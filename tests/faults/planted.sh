#!/usr/bin/env bash
# Plants faults in the engine, one at a time, and requires that the simulator catches each of them.
#
#   tests/faults/planted.sh [NAME...]
#
# Each tests/faults/planted/NAME.patch says in its first line what it breaks. It is applied to a copy of the tree below
# target/planted/, the simulator is built from that (PLANTED_PROFILE: dev, or release) and run for PLANTED_CUTS (40,000)
# power cuts from seed PLANTED_SEED (0) at most. Exits with 1 if one is not caught, or does not apply any more.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

profile="${PLANTED_PROFILE:-dev}"
cuts="${PLANTED_CUTS:-40000}"
seed="${PLANTED_SEED:-0}"
tree="$PWD/target/planted/tree"
export CARGO_TARGET_DIR="$PWD/target/planted/target"
export CARGO_INCREMENTAL=1
case "$profile" in
    dev) built=debug ;;
    *) built="$profile" ;;
esac

names=("$@")
if ((${#names[@]} == 0)); then
    for patch in tests/faults/planted/*.patch; do
        names+=("$(basename "$patch" .patch)")
    done
fi

# With new times, so that nothing of an earlier run is taken for up to date.
rm -rf "$tree" && mkdir -p "$tree"
git ls-files -z -- Cargo.toml Cargo.lock clippy.toml crates benches tests/faults |
    tar --null --files-from=- --create --file=- | tar --extract --touch --file=- --directory="$tree"

failed=()
for name in "${names[@]}"; do
    patch="$PWD/tests/faults/planted/$name.patch"
    echo
    echo "--- $name: $(head -n 1 "$patch")"
    if ! patch -d "$tree" -p1 --forward --silent --fuzz=0 --no-backup-if-mismatch <"$patch"; then
        echo "the patch does not apply any more: bring tests/faults/planted/$name.patch up to date" >&2
        exit 1
    fi
    status=0
    (cd "$tree" && cargo build --quiet --profile "$profile" -p annals-sim 2>"$tree/../build.log") || status=$?
    if ((status != 0)); then
        cat "$tree/../build.log" >&2
        echo "the engine with $name does not build" >&2
        exit 1
    fi
    "$CARGO_TARGET_DIR/$built/annals-sim" --cuts "$cuts" --from "$seed" --fail-fast >"$tree/../run.log" 2>&1 || status=$?
    patch -d "$tree" -p1 --reverse --silent --no-backup-if-mismatch <"$patch"
    case "$status" in
        0)
            echo "NOT CAUGHT: $(head -n 1 "$tree/../run.log")"
            failed+=("$name")
            ;;
        1)
            grep -m 1 '^seed ' "$tree/../run.log" | cut -c1-300
            echo "caught within $(grep -oE '^[0-9]+ runs from seed [0-9]+: [0-9]+ power cuts' "$tree/../run.log")"
            ;;
        *)
            cat "$tree/../run.log" >&2
            echo "the simulator with $name ended with $status" >&2
            exit 1
            ;;
    esac
done
echo
if ((${#failed[@]} > 0)); then
    echo "${#failed[@]} of ${#names[@]} planted faults were not caught: ${failed[*]}" >&2
    exit 1
fi
echo "all ${#names[@]} planted faults were caught"
