"""Sends a server ten times what its disk takes, samples its memory, asks it meanwhile; then compares its store.

    back_pressure.py load URL PID SECONDS FOLDER    while it runs; writes FOLDER/acknowledged, refused, figures.json
    back_pressure.py check URL FOLDER               after the next start
    back_pressure.py judge FOLDER MIB_PER_S MS_MAX  prints the figures; FOLDER/settings.json is of `annals config print`

The key is in ANNALS_KEY. Batches are numbered; the ids of their events follow from the number, so that a file of
numbers says what was acknowledged.
"""

import collections
import http.client
import json
import multiprocessing
import os
import socket
import sys
import threading
import time
import urllib.parse

KEY = os.environ["ANNALS_KEY"]
EVENTS = "/annals/v1/events"
# Large batches, single events, and streams of lines whose good ones are stored: (kind, connections, events of a request).
KINDS = [("large", 128, 1000), ("single", 16, 1), ("stream", 8, 2000)]
TEXT = 4000
PROCESSES = 4
READERS = 4
# What a busy server may say: with every one of them when to come again.
REFUSALS = {(429, "rate_limited"), (503, "busy")}
# Longer than the server lets anything wait.
TIMEOUT_S = 60


def connection(url):
    parts = urllib.parse.urlsplit(url)
    made = http.client.HTTPConnection(parts.hostname, parts.port, timeout=TIMEOUT_S)
    made.connect()
    made.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return made


def ask(made, method, path, body=None, headers=None):
    made.putrequest(method, path, skip_accept_encoding=True)
    for name, value in {"Authorization": f"Bearer {KEY}", **(headers or {})}.items():
        made.putheader(name, value)
    made.putheader("Content-Length", str(len(body or b"")))
    try:
        made.endheaders(body)
    except (BrokenPipeError, ConnectionResetError):
        # Refused before it was all sent: the answer is there.
        pass
    answer = made.getresponse()
    return answer, answer.read()


def template(events):
    """The lines of a batch whose number is to be put in."""
    noise = os.urandom(TEXT // 2).hex()
    line = (
        '{"id":"%08x-0000-4000-8000-#BATCHNUMBER","event_type":"pressure.test","resource_id":"#BATCHNUMBER",'
        '"session_id":"%d","content":"%s"}\n'
    )
    return "".join(line % (index, index, noise[index % 97 :]) for index in range(events)).encode()


def event_ids(batch, events):
    return [f"{index:08x}-0000-4000-8000-{batch:012d}" for index in range(events)]


class Client(threading.Thread):
    """One connection that sends again and again, as fast as it is answered: it does not wait when told to."""

    def __init__(self, url, number, kind, events, until):
        super().__init__(daemon=True)
        self.url, self.kind, self.events, self.until = url, kind, events, until
        self.next = number * 1_000_000
        self.acknowledged, self.refused, self.open = [], [], []
        self.offered, self.answers, self.wrong, self.longest_s = 0, collections.Counter(), [], 0.0

    def run(self):
        lines, made = template(self.events), None
        path = EVENTS + ("?partial=true" if self.kind == "stream" else "")
        while time.monotonic() < self.until:
            batch, self.next = self.next, self.next + 1
            body = lines.replace(b"#BATCHNUMBER", b"%012d" % batch)
            self.offered += len(body)
            started = time.monotonic()
            try:
                made = made or connection(self.url)
                answer, text = ask(made, "POST", path, body, {"Content-Type": "application/x-ndjson"})
            except (OSError, http.client.HTTPException) as error:
                # It was cut off while it sent, mostly with an answer that is lost behind what was not read.
                self.answers[type(error).__name__] += 1
                self.open.append(batch)
                made = None
                continue
            self.longest_s = max(self.longest_s, time.monotonic() - started)
            if answer.getheader("connection") == "close":
                made.close()
                made = None
            self.take(batch, answer, text)

    def take(self, batch, answer, text):
        told = json.loads(text)
        if answer.status == 200:
            self.answers["200"] += 1
            self.acknowledged.append((batch, self.events))
            if told["accepted"] != self.events:
                self.wrong.append(f"batch {batch}: {told}")
            return
        code = told.get("error", {}).get("code", "?")
        self.answers[f"{answer.status} {code}"] += 1
        # A stream stores what came before it broke off.
        (self.open if self.kind == "stream" else self.refused).append(batch)
        if (answer.status, code) not in REFUSALS or not (answer.getheader("retry-after") or "").isdigit():
            self.wrong.append(f"{answer.status} {text[:200]!r}, Retry-After: {answer.getheader('retry-after')}")


class Reader(threading.Thread):
    """Asks for the newest events, their number, and statistics."""

    def __init__(self, url, until):
        super().__init__(daemon=True)
        self.url, self.until, self.took_ms, self.wrong = url, until, [], []

    def run(self):
        made = connection(self.url)
        paths = [f"{EVENTS}?event_type=pressure.test&limit=100&fields=id,created_at", "/annals/v1/stats?by=event_type"]
        count = 0
        while time.monotonic() < self.until:
            started = time.monotonic()
            try:
                answer, text = ask(made, "GET", paths[count % 2])
            except (OSError, http.client.HTTPException) as error:
                self.wrong.append(f"a query: {error!r}")
                made = connection(self.url)
                continue
            self.took_ms.append((time.monotonic() - started) * 1000)
            if answer.status != 200:
                self.wrong.append(f"a query: {answer.status} {text[:200]!r}")
            count += 1
            time.sleep(0.02)


def memory_of(pid):
    """Bytes: anonymous, and with the files that are mapped."""
    found = {}
    with open(f"/proc/{pid}/status", encoding="ascii") as lines:
        for line in lines:
            name, _, value = line.partition(":")
            if name in ("RssAnon", "VmRSS"):
                found[name] = int(value.split()[0]) * 1024
    return found["RssAnon"], found["VmRSS"]


def run_clients(url, which, until, out):
    clients = []
    number = 0
    for kind, count, events in KINDS:
        for _ in range(count):
            number += 1
            if number % PROCESSES == which:
                clients.append(Client(url, number, kind, events, until))
    for client in clients:
        client.start()
    for client in clients:
        client.join(TIMEOUT_S + until - time.monotonic() if until > time.monotonic() else TIMEOUT_S)
    answers = collections.Counter()
    for client in clients:
        answers.update({f"{client.kind}: {name}": count for name, count in client.answers.items()})
    out.put({
        "acknowledged": [pair for client in clients for pair in client.acknowledged],
        "refused": [(batch, client.events) for client in clients for batch in client.refused],
        "offered": sum(client.offered for client in clients),
        "answers": dict(answers),
        "wrong": [wrong for client in clients for wrong in client.wrong],
        "stuck": sum(client.is_alive() for client in clients),
        "longest_s": max(client.longest_s for client in clients),
    })


def load(url, pid, seconds, folder):
    started = time.monotonic()
    until = started + seconds
    out = multiprocessing.Queue()
    processes = [multiprocessing.Process(target=run_clients, args=(url, which, until, out)) for which in range(PROCESSES)]
    for process in processes:
        process.start()
    readers = [Reader(url, until) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    samples = []
    while time.monotonic() < until:
        samples.append(memory_of(pid))
        time.sleep(0.25)
    parts = [out.get() for _ in processes]
    for thread in [*processes, *readers]:
        thread.join()
    took_ms = sorted(took for reader in readers for took in reader.took_ms)
    answers = collections.Counter()
    for part in parts:
        answers.update(part["answers"])
    acknowledged = [pair for part in parts for pair in part["acknowledged"]]
    figures = {
        "seconds": seconds,
        "offered_bytes_per_s": sum(part["offered"] for part in parts) / seconds,
        "acknowledged_batches": len(acknowledged),
        "acknowledged_events": sum(events for _, events in acknowledged),
        "answers": dict(sorted(answers.items())),
        "anonymous_bytes_max": max(anonymous for anonymous, _ in samples),
        "resident_bytes_max": max(resident for _, resident in samples),
        "queries": len(took_ms),
        "query_ms": {f"p{part}": took_ms[min(len(took_ms) - 1, len(took_ms) * part // 100)] for part in (50, 90, 99)},
        "query_ms_max": took_ms[-1],
        "wrong": [wrong for part in parts for wrong in part["wrong"]] + [wrong for reader in readers for wrong in reader.wrong],
        "stuck": sum(part["stuck"] for part in parts),
        "append_s_max": max(part["longest_s"] for part in parts),
    }
    with open(f"{folder}/acknowledged", "w", encoding="ascii") as file:
        file.writelines(f"{batch} {events}\n" for batch, events in acknowledged)
    with open(f"{folder}/refused", "w", encoding="ascii") as file:
        file.writelines(f"{batch} {events}\n" for part in parts for batch, events in part["refused"])
    with open(f"{folder}/figures.json", "w", encoding="utf-8") as file:
        json.dump(figures, file, indent=1)


def pairs(path):
    with open(path, encoding="ascii") as lines:
        return [tuple(map(int, line.split())) for line in lines]


def check(url, folder):
    """Every id of what was acknowledged is there once, and none of what was refused."""
    made, cursor, held = connection(url), "", collections.Counter()
    while cursor is not None:
        answer, text = ask(made, "GET", f"{EVENTS}?limit=10000&fields=id&total=none{cursor}")
        if answer.status != 200:
            sys.exit(f"the events cannot be listed: {answer.status} {text[:200]!r}")
        page = json.loads(text)
        held.update(event["id"] for event in page["events"])
        cursor = page["next_cursor"] and f"&cursor={page['next_cursor']}"
    acknowledged, refused = pairs(f"{folder}/acknowledged"), pairs(f"{folder}/refused")
    lost = [name for batch, events in acknowledged for name in event_ids(batch, events) if name not in held]
    there = [name for batch, events in refused for name in event_ids(batch, events) if name in held]
    twice = [name for name, count in held.items() if count > 1]
    print(f"{len(held)} events are there, {sum(events for _, events in acknowledged)} were acknowledged")
    for what, names in (("acknowledged and lost", lost), ("refused and stored", there), ("there twice", twice)):
        if names:
            sys.exit(f"{len(names)} events are {what}, such as {names[0]}")


UNITS = {"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}


def size(text):
    """Bytes, as settings write them."""
    unit = next(unit for unit in ("KiB", "MiB", "GiB", "B") if text.endswith(unit))
    return int(text.removesuffix(unit)) * UNITS[unit]


def memory_bound(folder):
    """What docs/operations.md says, "Memory under load"."""
    with open(f"{folder}/settings.json", encoding="utf-8") as file:
        settings = {setting["key"]: setting["value"] for setting in json.load(file)}
    connections = sum(count for _, count, _ in KINDS) + READERS
    return (
        (256 << 20)
        + size(settings["limits.ingest_memory_max"])
        + int(settings["limits.streams_max"]) * (48 << 20)
        + (int(settings["engine.unsealed_logs_max"]) + 1) * size(settings["log_size"])
        + int(settings["limits.reads_max"]) * size(settings["limits.page_size_bytes_max"])
        + connections * (256 << 10)
    )


def judge(folder, disk_mib_per_s, query_ms_max):
    with open(f"{folder}/figures.json", encoding="utf-8") as file:
        figures = json.load(file)
    bound, disk = memory_bound(folder), disk_mib_per_s * (1 << 20)
    mib = lambda count: f"{count / (1 << 20):,.0f} MiB"
    refused = sum(count for name, count in figures["answers"].items() if ": 4" in name or ": 5" in name)
    print(f"offered         {mib(figures['offered_bytes_per_s'])} a second for {figures['seconds']:.0f} s, the disk takes {mib(disk)}")
    print(f"acknowledged    {figures['acknowledged_events']:,} events in {figures['acknowledged_batches']:,} requests")
    print(f"refused         {refused:,} requests, each told when to come again")
    print(f"answers         {', '.join(f'{name} {count:,}' for name, count in figures['answers'].items())}")
    print(f"memory          {mib(figures['anonymous_bytes_max'])} anonymous, bound {mib(bound)}; {mib(figures['resident_bytes_max'])} resident")
    took = ", ".join(f"{name} {value:.1f}" for name, value in figures["query_ms"].items())
    print(f"queries         {figures['queries']:,}: {took}, longest {figures['query_ms_max']:.1f} ms")
    print(f"longest append  {figures['append_s_max']:.1f} s")
    failures = figures["wrong"][:10]
    if figures["offered_bytes_per_s"] < 10 * disk:
        failures.append("less was offered than ten times what the disk takes")
    if refused == 0:
        failures.append("nothing was refused: that was no pressure")
    if figures["anonymous_bytes_max"] > bound:
        failures.append("more memory than the bound")
    if figures["query_ms"]["p99"] > query_ms_max:
        failures.append(f"one query in a hundred takes more than {query_ms_max:.0f} ms")
    if figures["stuck"] or any("TimeoutError" in name for name in figures["answers"]):
        failures.append(f"requests without an answer in {TIMEOUT_S} s")
    sys.exit("\n".join(failures) or 0)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["load", url, pid, seconds, folder]:
            load(url, int(pid), float(seconds), folder)
        case ["check", url, folder]:
            check(url, folder)
        case ["judge", folder, disk_mib_per_s, query_ms_max]:
            judge(folder, float(disk_mib_per_s), float(query_ms_max))
        case _:
            sys.exit(__doc__)
