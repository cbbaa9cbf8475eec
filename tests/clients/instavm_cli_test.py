"""The command line of instavm from its registry, unmodified: `events tail`, `events get`, `events catalog`."""

import datetime
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import threading
import time

import audit_events
import pytest
from audit_events import KEYS, STATUSES, TOTAL, TYPES, VMS

pytestmark = pytest.mark.face("audit")

PROGRAM = str(pathlib.Path(sys.executable).parent / "instavm")
NOW = audit_events.now()
EVENTS = [audit_events.audit_event(n, NOW) for n in range(TOTAL)]


def environment(server, key: str) -> dict[str, str]:
    return os.environ | {"INSTAVM_API_KEY": key, "INSTAVM_BASE_URL": server.url, "PYTHONUNBUFFERED": "1"}


@pytest.fixture(scope="module")
def cli(server):
    server.ingest(EVENTS)

    def run(*arguments: str, key: str = server.key) -> subprocess.CompletedProcess:
        command = [PROGRAM, "events", *arguments]
        return subprocess.run(command, env=environment(server, key), capture_output=True, text=True, timeout=60)

    return run


def numbers(output: str) -> list[int]:
    return [json.loads(line)["event_payload"]["number"] for line in output.splitlines()]


def test_tail_prints_the_newest_oldest_first(cli):
    done = cli("tail", "--once", "--json")
    assert done.returncode == 0 and done.stderr == ""
    assert numbers(done.stdout) == list(range(TOTAL - 50, TOTAL))
    assert all(set(json.loads(line)) == KEYS for line in done.stdout.splitlines())


def test_tail_since_follows_the_cursors(cli):
    # 48 half hours and the 10 minutes: every event of the last day, over several pages.
    done = cli("tail", "--once", "--json", "--since", "1d", "--limit", "9")
    assert numbers(done.stdout) == list(range(TOTAL - 48, TOTAL))
    explicit = (NOW - datetime.timedelta(hours=3)).isoformat()
    assert numbers(cli("tail", "--once", "--json", "--since", explicit, "--limit", "2").stdout) == list(
        range(TOTAL - 6, TOTAL)
    )


def test_tail_in_columns(cli):
    line = cli("tail", "--once", "--limit", "1").stdout.rstrip("\n")
    when, status, kind, actor, target = re.split(r"\s{2,}", line)
    assert when == EVENTS[-1]["created_at"][:19].replace("T", " ")
    n = TOTAL - 1
    assert (status, kind, actor) == (STATUSES[n % 4], TYPES[n % 4], f"key-{n}")
    assert target == f"vm={EVENTS[n]['vm_id']} session={EVENTS[n]['session_id']} vm=res-{n}"


FILTERS = {
    "--vm": (VMS[1], lambda n: n % 3 == 1),
    "--session": (audit_events.SESSIONS[1], lambda n: n % 3 == 1),
    "--event": (TYPES[3], lambda n: n % 4 == 3),
    "--group": ("vm", lambda n: n % 4 < 2),
    "--status": (STATUSES[2], lambda n: n % 4 == 2),
}


@pytest.mark.parametrize("name", FILTERS)
def test_tail_filter(cli, name):
    value, matches = FILTERS[name]
    done = cli("tail", "--once", "--json", "--limit", "200", name, value)
    assert numbers(done.stdout) == [n for n in range(TOTAL) if matches(n)][-200:]


def test_tail_without_events(cli):
    done = cli("tail", "--once", "--vm", "none")
    assert (done.returncode, done.stdout) == (0, "(no events)\n")


def test_tail_follows(cli, server):
    command = [PROGRAM, "events", "tail", "--json", "--interval", "1", "--limit", "3", "--event", "vm.followed"]
    server.ingest([{"event_type": "vm.followed", "payload": {"number": 1}}])
    process = subprocess.Popen(
        command,
        env=environment(server, server.key),
        stdout=subprocess.PIPE,
        text=True,
        # A shell's background job is deaf to Ctrl-C, and so would be what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    lines: list[str] = []
    reader = threading.Thread(target=lambda: lines.extend(process.stdout), daemon=True)
    reader.start()

    def until(count: int) -> None:
        end = time.monotonic() + 30
        while len(lines) < count and time.monotonic() < end:
            time.sleep(0.05)

    try:
        until(1)
        # More than a page at once, then one more.
        server.ingest([{"event_type": "vm.followed", "payload": {"number": n}} for n in range(2, 10)])
        until(9)
        server.ingest([{"event_type": "vm.followed", "payload": {"number": 10}}])
        until(10)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=10) == 0
    finally:
        process.kill()
        server.native("DELETE", "/annals/v1/events?event_type=vm.followed")
    reader.join(timeout=10)
    assert numbers("".join(lines)) == list(range(1, 11))


def test_get(cli):
    n = TOTAL - 1
    done = cli("get", audit_events.audit_id(n))
    assert done.returncode == 0
    head, *rest = done.stdout.splitlines()
    assert TYPES[n % 4] in head
    assert rest == ["Payload:", "{", f'  "number": {n}', "}", f"Error: reason {n}"]
    assert json.loads(cli("get", "--json", audit_events.audit_id(n)).stdout)["id"] == audit_events.audit_id(n)


def test_get_what_is_not_there(cli):
    done = cli("get", "00000000-0000-4000-8000-000000000000")
    assert done.returncode == 1 and done.stdout == ""
    assert re.fullmatch(r"Error: HTTP 404: .+\n", done.stderr)


def test_catalog(cli):
    wanted = ["execution:", "  execution.completed", "snapshot:", "  snapshot.failed", "vm:"]
    assert cli("catalog").stdout.splitlines() == [*wanted, "  vm.created", "  vm.terminated"]
    assert set(json.loads(cli("catalog", "--json").stdout)["catalog"]) == {"execution", "snapshot", "vm"}


def test_a_wrong_key(cli):
    for arguments in (["tail", "--once"], ["get", "x"], ["catalog"]):
        done = cli(*arguments, key="wrong")
        assert done.returncode == 1
        assert done.stderr.startswith("Error: Invalid API key or session expired\n")
