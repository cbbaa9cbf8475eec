#!/usr/bin/env bash
# Annals side by side with SQLite, fjall, DuckDB and ClickHouse: one command, one table.
#
#   bash benches/compare/run.sh [EVENTS] [--input FILE|FOLDER]... [--replay EVENTS] [--only STORE[,STORE]]
#
# Without --input, EVENTS (2,000,000) are generated. With it, real events are taken as they are; EVENTS cuts them to the
# first so many, --replay repeats them to so many at shifted times and under new ids. A folder stands for its sets of 10,000
# events and more. Works below target/compare-run, which COMPARE_DIR moves; results stay there, in a folder for each set,
# and stores and events go. README.md beside this says what is measured.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
target=$(cd "$here/../.." && pwd)/target
# SQLite takes about twice the bytes of the events, deletes a third in one transaction with a log as large, and reads all
# of it for each search: above so many bytes of events it runs only where --only names it.
sqlite_text_bytes_max=${SQLITE_TEXT_BYTES_MAX:-2000000000}

usage() {
    echo "run.sh [EVENTS] [--input FILE|FOLDER]... [--replay EVENTS] [--only STORE,...]" >&2
    exit 2
}

events=
inputs=()
only=
while [ $# -gt 0 ]; do
    case $1 in
    --input) inputs+=("$(realpath "${2:?a file or a folder}")"); shift 2 ;;
    --replay) events=${2:?how many events}; shift 2 ;;
    --only) only=${2:?stores}; shift 2 ;;
    [0-9]*) events=$1; shift ;;
    *) usage ;;
    esac
done
work=${COMPARE_DIR:-$target/compare-run}

cargo build --quiet --release --manifest-path "$here/Cargo.toml" --target-dir "$target/compare"
compare=$target/compare/release/annals-compare
venv=$target/compare-venv
if [ ! -x "$venv/bin/python" ]; then python3 -m venv "$venv"; fi
"$venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"

directory=
cleared() { if [ -n "$directory" ]; then rm -rf "$directory"/store-* "$directory/events.ndjson.zst"; fi; }
trap cleared EXIT

# One set of events: prepare, every store, the tables.
compared() {
    local name=$1 shape=() store stores text_bytes left_out=
    shift
    shape=("$@")
    directory=$work/$name
    mkdir -p "$directory"
    cleared
    rm -f "$directory"/result-*.json
    echo "$name: preparing" >&2
    "$compare" prepare "$directory" "${shape[@]}"
    text_bytes=$(sed -n 's/^ *"text_bytes": \([0-9]*\).*/\1/p' "$directory/arguments.json")
    stores=${only:-annals,sqlite,fjall,duckdb,duckdb-key,clickhouse}
    if [ -z "$only" ] && [ "$text_bytes" -gt "$sqlite_text_bytes_max" ]; then
        stores=${stores/sqlite,/}
        left_out="SQLite is left out: the events are $text_bytes bytes as text (--only annals,sqlite runs it)"
        echo "$name: $left_out" >&2
    fi
    for store in ${stores//,/ }; do
        echo "$name: running $store" >&2
        case $store in
        annals | sqlite | fjall) "$compare" run "$store" "$directory" "${shape[@]}" ;;
        *) "$venv/bin/python" "$here/peers.py" "$store" "$directory" ;;
        esac || failed+=("$name: $store")
    done
    cleared
    {
        lscpu | sed -n 's/^Model name: */processor: /p; s/^CPU(s): */cores: /p'
        free -g | awk '/^Mem:/ { print "memory: " $2 " GiB" }'
        if [ -n "$left_out" ]; then echo "$left_out"; fi
        "$compare" table "$directory"
    } | tee "$directory/table.md" || failed+=("$name: table")
}

# What failed does not keep the others from running.
failed=()
finished() {
    if [ ${#failed[@]} -eq 0 ]; then exit 0; fi
    printf 'FAILED: %s\n' "${failed[@]}" >&2
    exit 1
}

if [ ${#inputs[@]} -eq 0 ]; then
    compared "generated-${events:-2000000}" ${events:+--events "$events"}
    finished
fi
files=()
for input in "${inputs[@]}"; do
    if [ ! -d "$input" ]; then
        files+=("$input")
        continue
    fi
    for file in "$input"/*.ndjson "$input"/*.ndjson.zst "$input"/*.ndjson.gz; do
        [ -f "$file" ] || continue
        count=$("$compare" count "$file")
        if [ "$count" -ge 10000 ]; then files+=("$file"); else echo "$file: left out, $count events" >&2; fi
    done
done
for file in "${files[@]}"; do
    name=$(basename "$file")
    compared "${name%%.*}${events:+-$events}" --input "$file" ${events:+--events "$events"}
done
finished
