"""What HTTP client and iterators of the Hoody TypeScript SDK send and read, written anew from its public source."""

import json
from typing import Any
from urllib.parse import urlencode

from server import Answer, Server


class Sdk:
    """Sends what the SDK's HTTP client sends: a content type on every request, parameters in the order of its code."""

    def __init__(self, server: Server, realm: str | None = None, key: str | None = None):
        self.server, self.realm, self.key = server, realm, key or server.key

    def call(self, method: str, path: str, query: dict | None = None, body: Any = None, **headers: str) -> Answer:
        host = f"{self.realm}.localhost" if self.realm else "localhost"
        headers = {
            "Host": f"{host}:{self.server.port}",
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.key}",
            "X-Hoody-Client-ID": "client-7",
            "X-Hoody-Client-Name": "the tests",
            **headers,
        }
        if body is None and method in ("PUT", "POST"):
            headers["Content-Length"] = "0"
        content = None if body is None else json.dumps(body, separators=(",", ":"))
        target = path + ("?" + urlencode(query) if query else "")
        return self.server.send(method, target, headers, content, key=None)

    def data(self, message: str, *arguments, **more) -> Any:
        """What the SDK hands on: an envelope is one only with a number, a text and the key `data`."""
        answer = self.call(*arguments, **more)
        assert answer.status == 200, answer.body
        assert "application/json" in answer.headers["content-type"]
        envelope = answer.json()
        assert set(envelope) == {"statusCode", "message", "data"}
        assert (envelope["statusCode"], envelope["message"]) == (200, message)
        return envelope["data"]

    def page(self, **query) -> dict:
        return self.data("Events retrieved successfully", "GET", "/api/v1/events", query)

    def iterate(self, **query) -> list[dict]:
        query = {"limit": 100, **query, "offset": 0}
        items: list[dict] = []
        for _ in range(1000):
            page = self.page(**query)
            items += page["events"]
            query["offset"] += len(page["events"])
            if not page["events"] or query["offset"] >= page["pagination"]["total"]:
                break
        return items
