#!/usr/bin/env bash
# Imports each file of events twice and compares every count with one made by other tools.
#
#   tests/acceptance/datasets.sh DIR [MAX_SIZE_BYTES]
#
# DIR holds *.ndjson.zst and *.ndjson.gz; compressed files larger than MAX_SIZE_BYTES are named and left out.
# Needs zstd, gzip, python3. ANNALS_BIN names the program (default: built here). Exits with 1 if anything differs.

set -euo pipefail
if (($# < 1 || $# > 2)); then
    sed -n '2,7p' "$0" | cut -c3- >&2
    exit 2
fi
directory="$(cd "$1" && pwd)"
readonly directory size_max="${2:-0}"
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if [[ -z "${ANNALS_BIN:-}" ]]; then
    cargo build --quiet -p annals
    ANNALS_BIN="${CARGO_TARGET_DIR:-target}/debug/annals"
fi
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Counts as JSON: {"total", "lines", "by": {event_type: n}}. A repeat of id and created_at counts once.
read -r -d '' count_script <<'PYTHON' || true
import collections, datetime, json, sys

def micros(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)

lines, seen, types = 0, set(), collections.Counter()
oldest = newest = None
for line in sys.stdin.buffer:
    if not line.strip():
        continue
    lines += 1
    event = json.loads(line)
    time = micros(event["created_at"])
    name = (event["id"], time)
    if name in seen:
        continue
    seen.add(name)
    types[event["event_type"]] += 1
    oldest = time if oldest is None else min(oldest, time)
    newest = time if newest is None else max(newest, time)
json.dump({"total": len(seen), "lines": lines, "oldest": oldest, "newest": newest, "by": dict(types)}, sys.stdout)
PYTHON

# Compares our statistics with those counts; prints what differs.
read -r -d '' compare_script <<'PYTHON' || true
import datetime, json, sys

expected, found = (json.load(open(path)) for path in sys.argv[1:3])

def micros(text):
    moment = datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))
    return (moment - datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc)) // datetime.timedelta(microseconds=1)

differences = []
def compare(name, wanted, got):
    if wanted != got:
        differences.append(f"{name}: expected {wanted}, annals says {got}")

compare("total", expected["total"], found["total"])
compare("oldest", expected["oldest"], micros(found["oldest"]))
compare("newest", expected["newest"], micros(found["newest"]))
types = found["by"]["event_type"]
for name in sorted(set(expected["by"]) | set(types)):
    compare(f"event_type {name!r}", expected["by"].get(name), types.get(name))
print("\n".join(differences[:20]))
sys.exit(1 if differences else 0)
PYTHON

unpack() {
    case "$1" in
        *.zst) zstd -dc --memory=128MB "$1" ;;
        *.gz) gzip -dc "$1" ;;
    esac
}

# The figures of the import's last line: accepted, duplicates, rejected.
figures() {
    tail -n 1 "$1" | tr -d ', ' | sed -E 's/([0-9]+)accepted([0-9]+)duplicates([0-9]+)rejected.*/\1 \2 \3/'
}

differences=0
files=0
printf '%-34s %10s %10s %7s %10s %10s  %s\n' file lines distinct types accepted again verdict
for file in "$directory"/*.ndjson.zst "$directory"/*.ndjson.gz; do
    [[ -f "$file" ]] || continue
    name="$(basename "$file")"
    if ((size_max > 0)) && (($(stat -c %s "$file") > size_max)); then
        printf '%-34s left out: larger than %s bytes\n' "$name" "$size_max"
        continue
    fi
    files=$((files + 1))
    rm -rf "$work/store"
    unpack "$file" | python3 -c "$count_script" > "$work/expected"
    read -r lines total types < <(python3 -c 'import json,sys; e=json.load(open(sys.argv[1])); print(e["lines"], e["total"], len(e["by"]))' "$work/expected")
    verdict=same
    notes="$work/notes"
    : > "$notes"
    "$ANNALS_BIN" import --data "$work/store" "$file" > "$work/first" 2>&1 || echo "the first import fails: $(tail -n 3 "$work/first")" >> "$notes"
    "$ANNALS_BIN" import --data "$work/store" "$file" > "$work/second" 2>&1 || echo "the second import fails: $(tail -n 3 "$work/second")" >> "$notes"
    first="$(figures "$work/first")"
    second="$(figures "$work/second")"
    [[ "$first" == "$total $((lines - total)) 0" ]] || echo "first import: $first, expected $total $((lines - total)) 0" >> "$notes"
    [[ "$second" == "0 $lines 0" ]] || echo "second import: $second, expected 0 $lines 0" >> "$notes"
    "$ANNALS_BIN" stats --data "$work/store" --by event_type --limit 100000 --output json > "$work/found" 2>> "$notes" \
        && python3 -c "$compare_script" "$work/expected" "$work/found" | sed '/^$/d' >> "$notes" || echo "the statistics differ" >> "$notes"
    "$ANNALS_BIN" verify --data "$work/store" > "$work/verified" 2>&1 || echo "verify: $(tail -n 3 "$work/verified")" >> "$notes"
    if [[ -s "$notes" ]]; then
        verdict=DIFFERENT
        differences=$((differences + 1))
    fi
    printf '%-34s %10s %10s %7s %10s %10s  %s\n' "$name" "$lines" "$total" "$types" "${first%% *}" "${second%% *}" "$verdict"
    sed 's/^/    /' "$notes"
done

if ((files == 0)); then
    echo "no *.ndjson.zst or *.ndjson.gz in $directory" >&2
    exit 1
fi
echo "$files files, $differences with differences"
((differences == 0))
