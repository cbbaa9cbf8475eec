"""The native API from outside: ingest as shippers send it, and the live tail as an event source reads it."""

import gzip
import http.client
import json
import threading

import pytest

pytestmark = pytest.mark.face("native")

NDJSON = {"Content-Type": "application/x-ndjson"}


class Tail:
    """Reads server-sent events in a thread; a blank line ends one."""

    def __init__(self, server, query: str = "", **headers: str):
        self.connection = http.client.HTTPConnection(server.host, server.port, timeout=30)
        self.connection.request(
            "GET", f"/annals/v1/tail{query}", headers={"Authorization": f"Bearer {server.key}", **headers}
        )
        self.response = self.connection.getresponse()
        self.events: list[tuple[int, dict]] = []
        self.grown = threading.Condition()
        threading.Thread(target=self.read, daemon=True).start()

    def read(self) -> None:
        fields: dict[str, str] = {}
        try:
            while line := self.response.readline().decode():
                name, _, value = line.rstrip("\n").partition(": ")
                if line == "\n" and "data" in fields:
                    with self.grown:
                        self.events.append((int(fields["id"]), json.loads(fields["data"])))
                        self.grown.notify_all()
                    fields = {}
                elif name:
                    fields[name] = value
        except (OSError, ValueError, AttributeError):
            pass  # closed by the test

    def wait(self, count: int) -> list[tuple[int, dict]]:
        with self.grown:
            assert self.grown.wait_for(lambda: len(self.events) >= count, timeout=20), self.events
            return list(self.events)

    def close(self) -> None:
        self.connection.sock and self.connection.sock.close()


def add(server, kind: str, numbers) -> None:
    server.ingest({"event_type": kind, "payload": {"n": n}} for n in numbers)


def test_ingest_as_shippers_send_it(server):
    line = json.dumps({"event_type": "shipped", "timestamp": "2026-02-03T04:05:06Z", "host": "web-1"}) + "\n"
    packed = gzip.compress((line * 3).encode())
    answer = server.send("POST", "/annals/v1/events", {**NDJSON, "Content-Encoding": "gzip"}, packed)
    assert (answer.status, answer.json()["accepted"]) == (200, 3)
    array = json.dumps([{"event_type": "shipped", "@timestamp": 1_770_000_000_000}] * 2)
    answer = server.send("POST", "/annals/v1/events", {"Content-Type": "application/json; charset=utf-8"}, array)
    assert answer.json() == {"accepted": 2, "duplicates": 0, "rejected": 0, "errors": []}
    page = server.native("GET", "/annals/v1/events?event_type=shipped")
    assert page["total"] == 5
    assert {event["payload"]["host"] for event in page["events"] if "payload" in event} == {"web-1"}


def test_the_tail_goes_on_where_it_was_cut(server):
    tail = Tail(server, "?event_type=live")
    assert tail.response.status == 200
    assert tail.response.getheader("Content-Type").startswith("text/event-stream")
    add(server, "live", range(5))
    add(server, "other", range(3))
    add(server, "live", range(5, 8))
    seen = tail.wait(8)
    tail.close()
    assert [event["payload"]["n"] for _, event in seen] == list(range(8))
    assert [event["sequence"] for _, event in seen] == [sequence for sequence, _ in seen]

    add(server, "live", range(8, 12))
    again = Tail(server, "?event_type=live", **{"Last-Event-ID": str(seen[3][0])})
    add(server, "live", range(12, 14))
    assert [event["payload"]["n"] for _, event in again.wait(10)] == list(range(4, 14))
    again.close()
    after = Tail(server, f"?event_type=live&after={seen[0][0]}")
    assert [event["payload"]["n"] for _, event in after.wait(13)] == list(range(1, 14))
    after.close()


def test_a_tail_does_not_hold_up_the_end_of_the_server(server):
    # The file's server is stopped with this stream open; it has to end in time all the same.
    Tail(server)
