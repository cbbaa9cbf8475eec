#!/usr/bin/env python3
"""Writes one event through each face that writes and prints it as every other face returns it; then deletes each
through a third face and shows that it is gone everywhere, totals and statistics included.

    python3 tests/acceptance/faces.py [ANNALS]

ANNALS is the program (default: target/debug/annals). The server it starts has a store of its own and ends with it.
"""

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

KEY = "the-administrators-key"
ORG = "6f1c7f0e-2f53-4a55-9f0b-0c6d3f3a1b11"
CONTAINER = "0d9a3c52-7a34-4d0b-b4c5-2f6a5c7f9e21"


class Server:
    """A server on a free port, over a store that goes with it."""

    def __init__(self, program: str) -> None:
        self.directory = tempfile.TemporaryDirectory()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.base = f"http://127.0.0.1:{port}"
        command = [program, "serve", "--data", self.directory.name, "--listen", f"127.0.0.1:{port}", "--log-size", "1MiB"]
        environment = {**os.environ, "ANNALS_ADMIN_KEY": KEY, "ANNALS_LOG": "warn"}
        self.process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
        for _ in range(600):
            try:
                urllib.request.urlopen(f"{self.base}/readyz").close()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the server does not get ready")

    def call(self, method: str, path: str, body: object = None) -> tuple[int, dict[str, str], object]:
        """Status, headers in lower case, and the body as JSON."""
        data = None if body is None else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {KEY}", "Content-Type": "application/json"}
        request = urllib.request.Request(self.base + path, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request) as reply:
                status, found, text = reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            status, found, text = error.code, error.headers, error.read()
        return status, {name.lower(): value for name, value in found.items()}, json.loads(text) if text else None

    def get(self, path: str) -> object:
        status, _, body = self.call("GET", path)
        if status != 200:
            raise SystemExit(f"GET {path}: {status} {body}")
        return body

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)
        self.directory.cleanup()


def totals(server: Server) -> dict[str, int]:
    """What every face counts in all."""
    stats = server.get("/api/v1/events/stats")["data"]
    return {
        "orgs": server.get(f"/orgs/{ORG}/events")["pagination"]["total"],
        "hoody": server.get("/api/v1/events")["data"]["pagination"]["total"],
        "hoody stats": stats["total_events"],
        "hoody by_type": sum(stats["by_type"].values()),
        "deltafi": server.get("/api/v2/events/with-count")["totalCount"],
        "waldur": server.get("/api/events/count/")["count"],
        "waldur months": sum(month["count"] for month in server.get("/api/events-stats/")),
        "audit": len(server.get("/v1/audit/events?limit=200")["items"]),
        "native": server.get("/annals/v1/events")["total"],
        "native stats": server.get("/annals/v1/stats")["total"],
    }


def names(server: Server) -> dict[str, str]:
    """The paths of the newest event on each face."""
    native = server.get("/annals/v1/events?limit=1")["events"][0]
    hoody = server.get("/api/v1/events?limit=1")["data"]["events"][0]["id"]
    uuid, sequence = native["id"], native["sequence"]
    return {
        "hoody": f"/api/v1/events/{hoody}",
        "deltafi": f"/api/v2/events/{uuid}",
        "waldur": f"/api/events/{sequence}/",
        "audit": f"/v1/audit/events/{uuid}",
        "native": f"/annals/v1/events/{uuid}",
    }


def main() -> int:
    program = sys.argv[1] if len(sys.argv) > 1 else "target/debug/annals"
    server = Server(os.path.abspath(program))
    orgs = f"/orgs/{ORG}/containers/{CONTAINER}/events"
    event = {"event_type": "vm.terminated", "created_at": "2025-01-15T10:30:05.123456Z", "message": "Machine gone",
             "status": "failure", "user_id": "42", "vm_id": "vm-1", "org_id": ORG, "payload": {"region": "eu"}}
    posted = {"event_type": "ACCESS", "timestamp": "2023-11-18T12:00:00Z", "status": "SUCCESS", "reader": "bob"}
    alarm = {"severity": "warn", "summary": "Configuration updated", "source": "admin-service", "notification": True,
             "content": "System configuration has been updated by admin user", "acknowledged": False}
    notice = {"title": "Maintenance", "message": "Tonight", "type": "MAINTENANCE", "severity": "warning"}
    cases = [
        ("native", "/annals/v1/events", event, "hoody"),
        ("orgs", orgs, posted, "deltafi"),
        ("deltafi", "/api/v2/events", alarm, "native"),
        ("native notification", "/annals/v1/notifications", notice, "hoody"),
    ]
    failed = 0
    for face, path, body, deleter in cases:
        print(f"\n### written through {face}: POST {path}\n{json.dumps(body)}")
        before = totals(server)
        status, headers, answer = server.call("POST", path, body)
        print(f"-> {status} {json.dumps(answer)}" + (f" x-event-id: {headers['x-event-id']}" if "x-event-id" in headers else ""))
        paths = names(server)
        for reader, name in paths.items():
            print(f"{reader:8} GET {name}\n         {json.dumps(server.get(name))}")
        print(f"orgs     GET /orgs/{ORG}/events\n         {json.dumps(server.get(f'/orgs/{ORG}/events')['events'])}")
        print(f"hoody    GET /api/v1/notifications/\n         {json.dumps(server.get('/api/v1/notifications/')['data'])}")
        print(f"totals   {totals(server)}")
        status, _, answer = server.call("DELETE", paths[deleter])
        print(f"deleted through {deleter}: DELETE {paths[deleter]} -> {status} {json.dumps(answer)}")
        left = {reader: server.call("GET", name)[0] for reader, name in paths.items()}
        after = totals(server)
        print(f"then     {left}\ntotals   {after}")
        failed += int(set(left.values()) != {404} or after != before)
    server.stop()
    print(f"\n{len(cases) - failed} passed, {failed} failed")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
