#!/usr/bin/env bash
# Annals side by side with SQLite, fjall, DuckDB and ClickHouse: one command, one table.
#
#   bash benches/compare/run.sh [EVENTS] [--input FILE.ndjson[.zst|.gz]] [--only STORE[,STORE]]
#
# Works below target/compare-run, which COMPARE_DIR moves. README.md beside this says what is measured.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target
events=2000000
input=()
only=annals,sqlite,fjall,duckdb,duckdb-key,clickhouse
while [ $# -gt 0 ]; do
    case $1 in
    --input) input=(--input "$(realpath "$2")"); shift 2 ;;
    --only) only=$2; shift 2 ;;
    [0-9]*) events=$1; shift ;;
    *) echo "run.sh [EVENTS] [--input FILE] [--only STORE,...]" >&2; exit 2 ;;
    esac
done
work=${COMPARE_DIR:-$target/compare-run}

cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target-dir "$target/compare"
compare=$target/compare/release/annals-compare
venv=$target/compare-venv
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"

mkdir -p "$work"
rm -f "$work"/result-*.json
shape=(--events "$events" "${input[@]}")
echo "preparing" >&2
"$compare" prepare "$work" "${shape[@]}"
for store in ${only//,/ }; do
    echo "running $store" >&2
    case $store in
    annals | sqlite | fjall) "$compare" run "$store" "$work" "${shape[@]}" ;;
    *) "$venv/bin/python" "$here/peers.py" "$store" "$work" ;;
    esac
done
rm -f "$work/events.ndjson"
lscpu | sed -n 's/^Model name: */processor: /p; s/^CPU(s): */cores: /p'
free -g | awk '/^Mem:/ { print "memory: " $2 " GiB" }'
"$compare" table "$work"
