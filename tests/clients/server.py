"""A server process of its own for a file of tests, and requests byte for byte as a client's own code sends them."""

import collections
import http.client
import json
import os
import pathlib
import queue
import re
import shutil
import signal
import subprocess
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

ADMIN_KEY = "hdy_the-administrator-of-the-client-tests"
START_SECONDS = 30
STOP_SECONDS = 30


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    version: int = 11

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    process: subprocess.Popen
    directory: str
    host: str = "127.0.0.1"
    port: int = 0
    output: collections.deque[str] = field(default_factory=lambda: collections.deque(maxlen=50))
    key: str = ADMIN_KEY

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def send(
        self,
        method: str,
        target: str,
        headers: dict[str, str] | None = None,
        body: bytes | str | None = None,
        key: str | None = ADMIN_KEY,
    ) -> Answer:
        """One request with these headers, `Host` unless given and `Authorization: Bearer` unless key is None."""
        headers = dict(headers or {})
        if key is not None and "Authorization" not in headers:
            headers["Authorization"] = f"Bearer {key}"
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        try:
            connection.putrequest(method, target, skip_host="Host" in headers, skip_accept_encoding=True)
            content = body.encode() if isinstance(body, str) else body
            if content is not None and "Content-Length" not in headers:
                headers["Content-Length"] = str(len(content))
            for name, value in headers.items():
                connection.putheader(name, value)
            connection.endheaders(content)
            response = connection.getresponse()
            names = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, names, response.read(), response.version)
        finally:
            connection.close()

    def native(self, method: str, path: str, body: Any = None) -> Any:
        """A call of the native API that has to succeed."""
        content = None if body is None else json.dumps(body)
        answer = self.send(method, path, {"Content-Type": "application/json"}, content)
        assert 200 <= answer.status < 300, f"{method} {path}: {answer.status} {answer.body!r}"
        return answer.json() if answer.body else None

    def ingest(self, events: Iterable[dict[str, Any]]) -> None:
        lines = [json.dumps(event) for event in events]
        headers = {"Content-Type": "application/x-ndjson"}
        answer = self.send("POST", "/annals/v1/events", headers, "\n".join(lines))
        assert answer.status == 200, answer.body
        assert answer.json()["accepted"] == len(lines), answer.body

    def make_key(self, name: str, scopes: list[str], **more: Any) -> str:
        return self.native("POST", "/annals/v1/keys", {"name": name, "scopes": scopes, **more})["key"]


def start() -> Server:
    """Starts `annals serve` with an empty store on a port that is free, and waits until it is ready."""
    work = pathlib.Path(os.environ.get("CLIENT_WORK", tempfile.gettempdir()))
    work.mkdir(parents=True, exist_ok=True)
    directory = tempfile.mkdtemp(prefix="store-", dir=work)
    data, backups = str(pathlib.Path(directory, "data")), str(pathlib.Path(directory, "backups"))
    command = [os.environ["ANNALS"], "serve", "--data", data, "--backup-dir", backups, "--listen", "127.0.0.1:0"]
    # Small logs: a log file is reserved in full, and there is a server for each file of tests.
    command += ["--durability", "interval", "--log-size", "4MiB"]
    environment = {"PATH": os.environ["PATH"], "ANNALS_ADMIN_KEY": ADMIN_KEY, "ANNALS_LOG": "warn"}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    server = Server(process, directory)
    addresses: queue.Queue[tuple[str, int]] = queue.Queue()

    def read_output() -> None:
        # Read to the end: a full pipe would stop the server.
        for line in process.stdout:
            server.output.append(line)
            if found := re.search(r"listens on http://([^:]+):(\d+)", line):
                addresses.put((found[1], int(found[2])))

    threading.Thread(target=read_output, daemon=True).start()
    try:
        server.host, server.port = addresses.get(timeout=START_SECONDS)
        wait_ready(server)
    except (queue.Empty, AssertionError):
        process.kill()
        raise AssertionError("the server did not start:\n" + "".join(server.output)) from None
    return server


def wait_ready(server: Server) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except OSError:
            time.sleep(0.05)
    raise AssertionError("not ready in time")


def stop(server: Server) -> None:
    """SIGTERM; the server has to end by itself, and well."""
    server.process.send_signal(signal.SIGTERM)
    try:
        code = server.process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        server.process.kill()
        raise AssertionError("the server did not end after SIGTERM:\n" + "".join(server.output)) from None
    output = "".join(server.output)
    shutil.rmtree(server.directory)
    assert code == 0, f"the server ended with {code}:\n{output}"
    assert "panicked" not in output, output
