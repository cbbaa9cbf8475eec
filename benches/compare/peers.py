#!/usr/bin/env python3
"""DuckDB and ClickHouse (as chdb) over the events and arguments that `annals-compare prepare` wrote.

peers.py STORE DIRECTORY, where STORE is duckdb, duckdb-key or clickhouse. Each store runs in a process of its
own, so that CPU time is its own. The events are Arrow tables in memory before any clock starts.
"""

import json
import os
import shutil
import sys
import threading
import time
import uuid

RUNS = 25
PAUSE_S = 0.005
WARMING_S_MAX = 10
DAY_US = 86_400_000_000
COLUMNS = {
    "seq": "UBIGINT", "id": "UUID", "created_at": "BIGINT", "event_type": "VARCHAR", "resource_type": "VARCHAR",
    "resource_id": "VARCHAR", "user_id": "VARCHAR", "project_id": "VARCHAR", "container_id": "VARCHAR",
    "severity": "VARCHAR", "status": "VARCHAR", "source": "VARCHAR", "realm_ids": "VARCHAR[]",
    "message": "VARCHAR", "payload": "VARCHAR",
}
QUERIES = ["Q1", "Q2", "Q3", "Q4", "Q5", "Q6", "Q7", "Q8", "Q9", "Q10 frequent", "Q10 rare", "Q10 number"]
I64 = 1 << 64


def wrapped(number):
    """As a sum of 64-bit integers without the overflow."""
    number %= I64
    return number - I64 if number >= I64 // 2 else number


def disk_bytes(folder, without=()):
    """Whole blocks of all files, each once however many names it has, but not of those in some folders."""
    found = {}
    for base, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if os.path.realpath(os.path.join(base, name)) not in without]
        for name in names:
            try:
                status = os.lstat(os.path.join(base, name))
                found[status.st_dev, status.st_ino] = status.st_blocks * 512
            except FileNotFoundError:
                pass
    return sum(found.values())


def statistics(rows):
    """Total, groups, and oldest plus newest, of (event_type, resource_type, count, oldest, newest)."""
    rows = [row for row in rows if row[2]]
    if not rows:
        return 0, 0, 0
    kinds = {row[1] for row in rows if row[1]}
    groups = len({row[0] for row in rows}) + len(kinds)
    return sum(row[2] for row in rows), groups, min(row[3] for row in rows) + max(row[4] for row in rows)


class Duck:
    """DuckDB: one table in the order of time; with a key, ids are unique."""

    batch = 122_880

    def __init__(self, folder, arguments, keyed):
        import duckdb

        self.duckdb, self.arguments, self.keyed = duckdb, arguments, keyed
        self.name = "DuckDB with key" if keyed else "DuckDB"
        self.version = duckdb.__version__
        key = "ids as UUID, primary key" if keyed else "ids as UUID, no key: repeats are not checked"
        self.settings = (
            f"inserts of {self.batch:,} from Arrow, 2 threads, checkpoints at 1 GiB of log; {key}; "
            "settled and compacted: checkpoint"
        )
        self.path = os.path.join(folder, "events.duckdb")

    def open(self):
        self.connection = self.duckdb.connect(self.path)
        self.connection.execute("SET threads = 2; SET checkpoint_threshold = '1GB'; SET preserve_insertion_order = true")
        columns = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
        key = ", PRIMARY KEY (id)" if self.keyed else ""
        self.connection.execute(f"CREATE TABLE IF NOT EXISTS events ({columns}{key})")
        self.reader = self.connection.cursor()
        self.deleter = self.connection.cursor()

    def close(self):
        self.reader.close()
        self.deleter.close()
        self.connection.close()

    @staticmethod
    def suited(batch):
        return batch

    def append(self, batch):
        self.connection.register("batch", batch)
        self.connection.execute("INSERT INTO events SELECT * FROM batch")
        self.connection.unregister("batch")

    def settle(self):
        self.connection.execute("CHECKPOINT")

    compact = settle

    def garbage(self):
        return ()

    def rows(self, sql, values=()):
        return self.reader.execute(sql, list(values)).fetchall()

    def page(self, where, values, order, limit, offset=0):
        total = self.rows(f"SELECT count(*) FROM events {where}", values)[0][0]
        rows = self.rows(f"SELECT * FROM events {where} ORDER BY {order} LIMIT {limit} OFFSET {offset}", values)
        return total, rows

    def sums(self, answer):
        total, rows = answer
        return total, len(rows), sum(row[2] for row in rows)

    def holds(self, text):
        if has_case(self.arguments, text):
            escaped = text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            return "WHERE message ILIKE ? ESCAPE '\\'", [f"%{escaped}%"]
        return "WHERE contains(message, ?)", [text]

    def get(self, number):
        rows = self.rows("SELECT * FROM events WHERE id = ?", [uuid.UUID(number)])
        return len(rows), rows

    def stats(self, where="", values=()):
        return self.rows(
            f"SELECT event_type, resource_type, count(*), min(created_at), max(created_at) FROM events {where} "
            "GROUP BY event_type, resource_type", values)

    has_realm = "list_contains(realm_ids, ?)"

    def delete(self, where, values):
        return self.deleter.execute(f"DELETE FROM events WHERE {where}", values).fetchall()[0][0]

    def drop_oldest(self):
        return self.delete("created_at < ?", [self.arguments["drop_before_us"]])

    def delete_matching(self):
        arguments = self.arguments
        return self.delete("resource_type = ? AND created_at < ?",
                           [arguments["delete_type"], arguments["delete_before_us"]])


def has_case(arguments, text):
    """Whether upper and lower case of a text searched for are to be told apart by nobody: not asked of numbers."""
    return arguments["any_case"] and any(letter.isalpha() for letter in text)


def quoted(value):
    """A value in a statement of ClickHouse."""
    if isinstance(value, int):
        return str(value)
    return "'" + str(value).replace("\\", "\\\\").replace("'", "\\'") + "'"


def filled(sql, values):
    """The statement with its values in the places of question marks."""
    parts = sql.split("?")
    return "".join(part + value for part, value in zip(parts, [*map(quoted, values), ""], strict=True))


class ClickHouse:
    """ClickHouse as chdb: MergeTree in the order of time, skip indexes for ids, resources and realms."""

    batch = 100_000
    name = "ClickHouse"
    has_realm = "has(realm_ids, ?)"

    def __init__(self, folder, arguments):
        import chdb
        from chdb import session

        self.session_of, self.arguments = session.Session, arguments
        self.folder = os.path.join(folder, "clickhouse")
        self.version = chdb.engine_version if isinstance(chdb.engine_version, str) else chdb.__version__
        days = (arguments["newest_us"] - arguments["oldest_us"]) / DAY_US
        self.partition = "toMonday" if days <= 200 else "toYYYYMM" if days <= 800 else "toYear"
        self.settings = (
            "MergeTree ORDER BY (created_at, seq), partitioned by week (by month if events reach over more than "
            "200 days, by year above 800), ZSTD(1), Delta for times, LowCardinality for few values, bloom filters on id, resource_id and "
            "realm_ids; ids as UUID, repeats are not checked; inserts of 100,000 from Arrow, 2 threads; "
            "settled: no merge runs; compacted: OPTIMIZE FINAL"
        )

    def open(self):
        self.session = self.session_of(self.folder)
        run = self.session.query
        self.version = str(run("SELECT version()", "TSV")).strip()
        run("CREATE DATABASE IF NOT EXISTS compare ENGINE = Atomic")
        text, few = "String CODEC(ZSTD(1))", "LowCardinality(String) CODEC(ZSTD(1))"
        run(f"""CREATE TABLE IF NOT EXISTS compare.events (
            seq UInt64 CODEC(Delta, ZSTD(1)), id UUID CODEC(ZSTD(1)), created_at Int64 CODEC(Delta, ZSTD(1)),
            event_type {few}, resource_type {few}, resource_id {text}, user_id {text}, project_id {text},
            container_id {text}, severity {few}, status {few}, source {few},
            realm_ids Array(LowCardinality(String)) CODEC(ZSTD(1)), message {text}, payload {text},
            INDEX of_id id TYPE bloom_filter(0.001) GRANULARITY 1,
            INDEX of_resource resource_id TYPE bloom_filter(0.01) GRANULARITY 1,
            INDEX of_realm realm_ids TYPE bloom_filter(0.01) GRANULARITY 1,
            INDEX of_type event_type TYPE set(0) GRANULARITY 1)
            ENGINE = MergeTree PARTITION BY {self.partition}(fromUnixTimestamp64Micro(created_at, 'UTC'))
            ORDER BY (created_at, seq) SETTINGS old_parts_lifetime = 1, cleanup_delay_period = 1, cleanup_delay_period_random_add = 0""")

    def close(self):
        self.session.close()

    @staticmethod
    def suited(batch):
        """Empty texts instead of nulls: ClickHouse stores and reads those faster. Ids as text, which is how chdb takes them."""
        import pyarrow
        import pyarrow.compute as compute

        for index, field in enumerate(batch.schema):
            column = batch.column(index)
            if field.name == "id":
                column = column.cast(pyarrow.string())
            if pyarrow.types.is_string(column.type) or pyarrow.types.is_large_string(column.type):
                column = compute.fill_null(column, "")
            batch = batch.set_column(index, field.name, column)
        return batch.combine_chunks()

    def append(self, batch):
        global arrow_batch  # chdb finds the table by the name of a variable
        arrow_batch = batch
        self.session.query("INSERT INTO compare.events SELECT * REPLACE (toUUID(id) AS id) FROM Python(arrow_batch) "
                           "SETTINGS max_threads = 2, max_insert_threads = 2")

    def scalar(self, sql):
        return int(str(self.session.query(sql, "TSV")).strip() or 0)

    def settle(self):
        quiet = 0
        while quiet < 10:
            quiet = 0 if self.scalar("SELECT count() FROM system.merges") else quiet + 1
            time.sleep(0.1)

    def garbage(self):
        """Folders of merged or dropped parts that only wait to be removed: they do not count as taken."""
        parts = self.session.query("SELECT path FROM system.parts WHERE database = 'compare' AND NOT active", "TSV")
        return {os.path.realpath(path) for path in str(parts).split()}

    def compact(self):
        self.session.query("OPTIMIZE TABLE compare.events FINAL")
        self.settle()

    def table(self, sql, values=()):
        return self.session.query(filled(sql, values) + " SETTINGS max_threads = 2", "Arrow")

    def page(self, where, values, order, limit, offset=0):
        total = self.table(f"SELECT count() AS total FROM compare.events {where}", values)
        rows = self.table(f"SELECT * FROM compare.events {where} ORDER BY {order} LIMIT {limit} OFFSET {offset}", values)
        return total, rows

    def parsed(self, result):
        import pyarrow

        data = result.bytes()
        return pyarrow.ipc.open_file(data).read_all() if data else None

    def sums(self, answer):
        total, rows = answer
        rows = self.parsed(rows)
        times = rows.column("created_at").to_pylist() if rows is not None else []
        if not isinstance(total, int):
            total = self.parsed(total).column("total")[0].as_py()
        return (len(times) if total < 0 else total), len(times), sum(times)

    def holds(self, text):
        if has_case(self.arguments, text):
            return "WHERE positionCaseInsensitive(message, ?) > 0", [text]
        return "WHERE position(message, ?) > 0", [text]

    def get(self, number):
        return -1, self.table("SELECT * FROM compare.events WHERE id = toUUID(?)", [number])

    def stats(self, where="", values=()):
        return self.table(
            "SELECT toString(event_type) AS a, toString(resource_type) AS b, toInt64(count()) AS c, min(created_at) AS d, "
            f"max(created_at) AS e FROM compare.events {where} GROUP BY event_type, resource_type", values)

    def delete(self, where, values, partition=""):
        where = filled(where, values)
        # What is before the cutoff lies in this partition alone by now, the others are dropped.
        deleted = self.scalar(f"SELECT count() FROM compare.events WHERE {where}")
        self.session.query(f"DELETE FROM compare.events {partition} WHERE {where} SETTINGS lightweight_deletes_sync = 2")
        return deleted

    def drop_oldest(self):
        cutoff = self.arguments["drop_before_us"]
        partitions = str(self.session.query(
            "SELECT _partition_id, max(created_at) < {0}, count() FROM compare.events WHERE _partition_id IN (SELECT "
            "_partition_id FROM compare.events WHERE created_at < {0}) GROUP BY _partition_id ORDER BY 2 DESC".format(cutoff), "TSV"))
        deleted = 0
        for line in partitions.splitlines():
            partition, is_whole, count = line.split("\t")
            if int(is_whole):
                self.session.query(f"ALTER TABLE compare.events DROP PARTITION ID '{partition}'")
                deleted += int(count)
            else:
                deleted += self.delete("created_at < ?", [cutoff], f"IN PARTITION ID '{partition}'")
        return deleted

    def delete_matching(self):
        arguments = self.arguments
        return self.delete("resource_type = ? AND created_at < ?",
                           [arguments["delete_type"], arguments["delete_before_us"]])


def ask(peer, name, run):
    """One run of a query; what it gives is summed outside of the clock."""
    a = peer.arguments
    pick = lambda values: values[run % len(values)] if values else None
    newest = "created_at DESC, seq DESC"
    if name == "Q1":
        return peer.page("", [], newest, 100)
    if name == "Q6":
        return peer.page("", [], f"event_type, {newest}", 100)
    if name == "Q7":
        return peer.stats()
    lists = {"Q2": "common_types", "Q3": "resources", "Q4": "realm_type_days", "Q5": "deep_types", "Q8": "realm_weeks",
             "Q9": "uuids", "Q10 frequent": "frequent_words",
             "Q10 rare": "rare_texts", "Q10 number": "numbers"}
    value = pick(a[lists[name]])
    if value is None:
        return None
    if name == "Q2":
        return peer.page("WHERE event_type = ?", [value], newest, 100)
    if name == "Q3":
        return peer.page("WHERE resource_id = ?", [value], newest, 100)
    if name == "Q4":
        realm, event_type, start = value
        where = f"WHERE {peer.has_realm} AND event_type = ? AND created_at >= ? AND created_at < ?"
        return peer.page(where, [realm, event_type, start, start + DAY_US], "created_at, seq", 100)
    if name == "Q5":
        return peer.page("WHERE event_type = ?", [value], newest, 100, a["deep_offset"])
    if name == "Q8":
        realm, start = value
        where = f"WHERE {peer.has_realm} AND created_at >= ? AND created_at < ?"
        return peer.stats(where, [realm, start, start + 7 * DAY_US])
    if name == "Q9":
        return peer.get(value)
    where, values = peer.holds(value)
    return peer.page(where, values, newest, 50)


def sums(peer, name, answer):
    if name in ("Q7", "Q8"):
        if isinstance(answer, list):
            return statistics(answer)
        table = peer.parsed(answer)
        rows = list(zip(*(column.to_pylist() for column in table.columns))) if table is not None else []
        return statistics(rows)
    return peer.sums(answer)


def measure(peer, name):
    answered = {"name": name, "runs": 0, "median_ms": 0.0, "p99_ms": 0.0, "totals": 0, "rows": 0, "times": 0}
    times = []
    warming = time.perf_counter()
    for is_timed in (False, True):
        for run in range(RUNS):
            start = time.perf_counter()
            if not is_timed and start - warming > WARMING_S_MAX:
                break
            # Before the clock with other arguments, where there are enough, as for the stores that Rust drives.
            answer = ask(peer, name, run if is_timed else RUNS + run)
            elapsed_ms = (time.perf_counter() - start) * 1e3
            if answer is None:
                return answered
            if is_timed:
                times.append(elapsed_ms)
                total, rows, summed = sums(peer, name, answer)
                answered["totals"] += total
                answered["rows"] += rows
                answered["times"] = wrapped(answered["times"] + summed)
    return answered | {"runs": RUNS, **percentiles(times)}


def percentiles(times):
    times = sorted(times)
    at = lambda part: times[max(-(-len(times) * part // 100), 1) - 1] if times else 0.0
    return {"median_ms": at(50), "p99_ms": at(99)}


def append_all(peer, batches):
    for batch in batches:
        peer.append(batch)


def closed_bytes(peer, folder):
    """What a closed store takes, without what is only waiting to be removed."""
    garbage = peer.garbage()
    peer.close()
    return disk_bytes(folder, garbage)


def delete(peer, folder, act):
    before = disk_bytes(folder, peer.garbage())
    start = time.perf_counter()
    deleted = act()
    returned_ms = (time.perf_counter() - start) * 1e3
    time.sleep(1)
    return {"deleted": int(deleted), "returned_ms": returned_ms,
            "freed_part": max(before - disk_bytes(folder, peer.garbage()), 0) / max(before, 1)}


def mixed(peer, batches):
    ended, times, failures = threading.Event(), [], []

    def asking():
        run = 0
        try:
            while not ended.is_set():
                start = time.perf_counter()
                ask(peer, "Q2", run)
                times.append((time.perf_counter() - start) * 1e3)
                run += 1
                time.sleep(PAUSE_S)
        except Exception as error:  # shown by the main thread
            failures.append(error)

    thread = threading.Thread(target=asking)
    thread.start()
    start = time.perf_counter()
    append_all(peer, batches)
    rate = rows_of(batches) / (time.perf_counter() - start)
    ended.set()
    thread.join()
    if failures:
        raise failures[0]
    return {"acknowledged_per_s": rate, **percentiles(times)}


def load(directory, kind):
    """The events as Arrow tables, one for each insert, in the order of appending: in memory before any clock starts."""
    import duckdb
    import pyarrow

    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items()) + "}"
    path = os.path.join(directory, "events.ndjson.zst")
    connection = duckdb.connect()
    connection.execute("SET threads = 2; SET preserve_insertion_order = true")
    query = (f"SELECT * FROM read_json('{path}', format = 'newline_delimited', compression = 'zstd', columns = {columns})")
    batches, waiting, count = [], [], 0
    for part in connection.sql(query).to_arrow_reader(61_440):
        waiting.append(part)
        count += part.num_rows
        while count >= kind.batch:
            table = pyarrow.Table.from_batches(waiting)
            batches.append(kind.suited(table.slice(0, kind.batch).combine_chunks()))
            waiting = table.slice(kind.batch).to_batches()
            count -= kind.batch
    if count:
        batches.append(kind.suited(pyarrow.Table.from_batches(waiting).combine_chunks()))
    return batches


def rows_of(batches):
    return sum(batch.num_rows for batch in batches)


def main():
    store, directory = sys.argv[1:]
    with open(os.path.join(directory, "arguments.json"), encoding="utf-8") as file:
        arguments = json.load(file)
    kind = ClickHouse if store == "clickhouse" else Duck
    batches = load(directory, kind)
    folder = os.path.join(directory, f"store-{store}")
    make = {"duckdb": lambda: Duck(folder, arguments, False),
            "duckdb-key": lambda: Duck(folder, arguments, True),
            "clickhouse": lambda: ClickHouse(folder, arguments)}[store]
    result = run(make, batches, folder)
    path = os.path.join(directory, f"result-{store}.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)


def run(make, batches, folder):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(folder)
    peer = make()
    count = rows_of(batches)
    peer.open()
    wall, cpu = time.perf_counter(), time.process_time()
    append_all(peer, batches)
    result = {"store": peer.name, "events": count, "settings": peer.settings, "version": peer.version,
              "acknowledged_per_s": count / (time.perf_counter() - wall),
              "acknowledged_cpu_us": (time.process_time() - cpu) * 1e6 / count}
    peer.settle()
    result["settled_per_s"] = count / (time.perf_counter() - wall)
    result["settled_cpu_us"] = (time.process_time() - cpu) * 1e6 / count
    result["disk_bytes"] = closed_bytes(peer, folder) / count
    peer.open()
    cpu = time.process_time()
    peer.compact()
    result["compacting_cpu_us"] = (time.process_time() - cpu) * 1e6 / count
    result["compacted_disk_bytes"] = closed_bytes(peer, folder) / count
    peer.open()
    result["answers"] = [measure(peer, name) for name in QUERIES]
    result["d1"] = delete(peer, folder, peer.drop_oldest)
    result["d2"] = delete(peer, folder, peer.delete_matching)
    peer.close()
    shutil.rmtree(folder)
    os.makedirs(folder)
    peer = make()
    peer.open()
    result["mixed"] = mixed(peer, batches)
    peer.close()
    shutil.rmtree(folder)
    return result


if __name__ == "__main__":
    main()
