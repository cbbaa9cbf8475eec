"""The requests of DeltaFi's user interface, terminal interface and shell commands, and the document's curl lines."""

import base64
import datetime
import json
import subprocess
import uuid
from urllib.parse import urlencode

import pytest

pytestmark = pytest.mark.face("deltafi")

UTC = datetime.timezone.utc
KEYS = {"id", "severity", "summary", "content", "source", "timestamp", "notification", "acknowledged"}
EVENTS = "/api/v2/events"
JSON = {"Content-Type": "application/json"}
TOTAL = 45
SEVERITIES = ["error", "warn", "info", "success"]
BASE = datetime.datetime(2026, 1, 5, tzinfo=UTC)


def moment(n: int) -> str:
    return (BASE + datetime.timedelta(hours=n)).strftime("%Y-%m-%dT%H:%M:%S.000Z")


@pytest.fixture(scope="module")
def filled(server):
    for n in range(TOTAL):
        event = {
            "id": str(uuid.UUID(int=0xDF00 + n, version=4)),
            "severity": SEVERITIES[n % 4],
            "summary": f"summary {n % 9}",
            "content": f"content {n}",
            "source": f"source-{n % 3}",
            "timestamp": moment(n),
            "notification": n % 2 == 0,
            "acknowledged": n % 5 == 0,
        }
        answer = server.send("POST", EVENTS, JSON, json.dumps(event))
        assert answer.status == 200 and answer.json()["id"] == event["id"], answer.body
    return server


def number(event: dict) -> int:
    return int(event["content"].split()[1])


def read(server, **query):
    answer = server.send("GET", EVENTS + ("?" + urlencode(query) if query else ""))
    assert answer.status == 200, answer.body
    return answer.json()


def test_list_is_the_twenty_newest_whenever_they_were(filled):
    events = read(filled)
    assert [number(event) for event in events] == list(range(TOTAL - 1, TOTAL - 21, -1))
    assert all(set(event) == KEYS for event in events)


FILTERS = {
    "severity": ("error", lambda n: n % 4 == 0),
    "summary": ("summary 3", lambda n: n % 9 == 3),
    "content": ("content 7", lambda n: n == 7),
    "source": ("source-1", lambda n: n % 3 == 1),
    "id": (str(uuid.UUID(int=0xDF00 + 9, version=4)), lambda n: n == 9),
    "acknowledged": ("TRUE", lambda n: n % 5 == 0),
    "notification": ("no", lambda n: n % 2 == 1),
    "start": (moment(30), lambda n: n > 30),
    "end": (moment(30), lambda n: n < 30),
    "unknown": ("ignored", lambda n: True),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(filled, name):
    value, matches = FILTERS[name]
    expected = [n for n in reversed(range(TOTAL)) if matches(n)]
    assert [number(event) for event in read(filled, size=100, **{name: value})] == expected
    answer = filled.send("GET", f"{EVENTS}/with-count?" + urlencode({"size": 4, name: value})).json()
    assert set(answer) == {"offset", "count", "totalCount", "events"}
    assert answer["totalCount"] == len(expected)
    assert answer["count"] == len(answer["events"]) == min(4, len(expected))


def test_pages(filled):
    seen = []
    for offset in range(0, TOTAL + 20, 20):
        page = filled.send("GET", f"{EVENTS}/with-count?offset={offset}&size=20").json()
        assert page["offset"] == min(offset, TOTAL) and page["totalCount"] == TOTAL
        seen += [number(event) for event in page["events"]]
    assert seen == list(reversed(range(TOTAL)))


def test_the_page_of_the_user_interface(filled):
    query = urlencode({"start": moment(9), "end": moment(20), "offset": 0, "size": 20})
    page = filled.send("GET", f"{EVENTS}/with-count?{query}", {"Accept": "application/json, text/plain, */*"}).json()
    assert [number(event) for event in page["events"]] == list(range(19, 9, -1))
    assert page["totalCount"] == 10


def test_the_bell_of_the_user_interface(filled):
    query = urlencode({"notification": "true", "acknowledged": "false", "start": moment(20)})
    bell = filled.send("GET", f"{EVENTS}?{query}").json()
    wanted = [n for n in range(TOTAL - 1, 20, -1) if n % 2 == 0 and n % 5]
    assert [number(event) for event in bell] == wanted
    name = bell[0]["id"]
    # It acknowledges without a body.
    done = filled.send("PUT", f"{EVENTS}/{name}/acknowledge", {"Content-Length": "0"})
    assert done.status == 200 and done.json() == {**bell[0], "acknowledged": True}
    assert name not in [event["id"] for event in filled.send("GET", f"{EVENTS}?{query}").json()]
    back = filled.send("PUT", f"{EVENTS}/{name}/unacknowledge", {"Content-Length": "0"})
    assert back.json() == bell[0]
    assert filled.send("GET", f"{EVENTS}?{query}").json() == bell


def test_the_terminal_interface(filled):
    # Go's clock has nine decimals and the local offset; every key is sent, an absent content as "".
    name = str(uuid.uuid4())
    event = {
        "id": name,
        "severity": "warn",
        "summary": "from the terminal",
        "content": "",
        "source": "cli",
        "timestamp": "2026-01-02T16:40:12.123456789+01:00",
        "notification": False,
        "acknowledged": False,
    }
    headers = {**JSON, "X-User-Permissions": "Admin", "X-User-Name": "deltafi-cli", "User-Agent": "Go-http-client/1.1"}
    made = filled.send("POST", EVENTS, headers, json.dumps(event))
    assert 200 <= made.status < 300
    assert made.json()["id"] == name and made.json()["timestamp"] == "2026-01-02T15:40:12.123456Z"
    assert made.json()["content"] in ("", None)
    got = filled.send("GET", f"{EVENTS}/{name}", headers)
    assert (got.status, got.json()) == (200, made.json())
    assert filled.send("DELETE", f"{EVENTS}/{name}", headers).json() == made.json()
    # Such headers are no proof of anything, unless the operator says so.
    assert filled.send("GET", EVENTS, headers, key=None).status == 401


def test_the_shell_command_speaks_http_1_0(filled):
    body = (
        '{\n  "summary": "from the shell",\n  \n  "severity": "info",\n  "notification": false,\n  "source": "CLI"\n}\n'
    )
    command = ["curl", "-0", "-X", "POST", "--connect-timeout", "3", "-s", "-H", "X-User-Permissions: Admin"]
    command += ["-H", "X-User-Name: cli", "-H", "Content-Type: application/json", "-u", f"cli:{filled.key}"]
    done = subprocess.run(
        [*command, f"{filled.url}{EVENTS}", "--data", "@-"], input=body, capture_output=True, text=True
    )
    event = json.loads(done.stdout)
    assert set(event) == KEYS and (event["summary"], event["content"]) == ("from the shell", None)
    assert (event["notification"], event["acknowledged"]) == (False, False)
    assert uuid.UUID(event["id"]).version == 7
    assert filled.send("DELETE", f"{EVENTS}/{event['id']}").status == 200


def test_the_curl_lines_of_the_document(filled):
    name = "123e4567-e89b-12d3-a456-426614174000"
    filled.send("POST", EVENTS, JSON, json.dumps({"id": name, "severity": "error", "summary": "System error occurred"}))

    def curl(line: str):
        # Only the address is ours, and the credentials, which the document leaves to the ingress.
        line = line.replace("http://deltafi-url", filled.url).replace("curl ", f"curl -sS -f -u user:{filled.key} ", 1)
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=30)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    page = curl('curl -X GET "http://deltafi-url/api/v2/events?offset=0&size=10&severity=error"')
    assert len(page) == 10 and {event["severity"] for event in page} == {"error"}
    assert curl(f'curl -X GET "http://deltafi-url/api/v2/events/{name}"')["summary"] == "System error occurred"
    assert curl(f'curl -X PUT "http://deltafi-url/api/v2/events/{name}/acknowledge"')["acknowledged"] is True
    assert curl(f'curl -X PUT "http://deltafi-url/api/v2/events/{name}/unacknowledge"')["acknowledged"] is False
    assert curl(f'curl -X DELETE "http://deltafi-url/api/v2/events/{name}"')["id"] == name
    made = curl("""curl -X POST "http://deltafi-url/api/v2/events" \\
  -H "Content-Type: application/json" \\
  -d '{
    "severity": "warn",
    "summary": "Configuration updated",
    "content": "System configuration has been updated by admin user",
    "source": "admin-service",
    "notification": true,
    "acknowledged": false
  }'""")
    assert {key: made[key] for key in KEYS - {"id", "timestamp"}} == {
        "severity": "warn",
        "summary": "Configuration updated",
        "content": "System configuration has been updated by admin user",
        "source": "admin-service",
        "notification": True,
        "acknowledged": False,
    }
    assert made["timestamp"].endswith("Z") and uuid.UUID(made["id"])
    assert filled.send("DELETE", f"{EVENTS}/{made['id']}").status == 200


@pytest.mark.parametrize(
    "given,shown",
    [("failure", "error"), ("RED", "error"), ("warning", "warn"), ("Yellow", "warn"), ("successful", "success"),
     ("green", "success"), ("ERROR", "error"), ("blue", "info")],
)  # fmt: skip
def test_severities_are_mapped(filled, given, shown):
    made = filled.send("POST", EVENTS, JSON, json.dumps({"severity": given, "summary": "s"}))
    assert made.status == 200 and made.json()["severity"] == shown
    filled.send("DELETE", f"{EVENTS}/{made.json()['id']}")


def test_a_given_id_replaces(filled):
    name = str(uuid.uuid4())
    for summary in ("first", "second"):
        body = {"id": name, "severity": "info", "summary": summary, "nonsense": 1}
        assert filled.send("POST", EVENTS, JSON, json.dumps(body)).json()["summary"] == summary
    assert [event["summary"] for event in read(filled, id=name)] == ["second"]
    assert filled.send("DELETE", f"{EVENTS}/{name}").json()["summary"] == "second"
    assert read(filled, id=name) == []


def test_long_content(filled):
    def post(content: str):
        return filled.send(
            "POST", EVENTS, JSON, json.dumps({"severity": "info", "summary": "long", "content": content})
        )

    longest = "\N{FACE WITH TEARS OF JOY}" * 100_000
    made = post(longest)
    assert made.status == 200 and made.json()["content"] == longest
    assert filled.send("DELETE", f"{EVENTS}/{made.json()['id']}").status == 200
    assert post("x" * 100_001).status == 400
    assert read(filled, summary="long") == []


REFUSED = [
    ("POST", EVENTS, '{"severity":"info"}', 400, "Event summary and severity are required"),
    ("POST", EVENTS, '{"summary":"s"}', 400, "Event summary and severity are required"),
    ("POST", EVENTS, '{"summary":" ","severity":"info"}', 400, "Event summary and severity are required"),
    ("POST", EVENTS, '{"summary":"s","severity":null}', 400, "Event summary and severity are required"),
    ("POST", EVENTS, "no json", 400, None),
    ("GET", f"{EVENTS}/no-uuid", None, 400, None),
    ("GET", f"{EVENTS}?size=ten", None, 400, None),
    ("GET", f"{EVENTS}?offset=-1", None, 400, None),
    ("GET", f"{EVENTS}?size=10001", None, 400, None),
    ("GET", f"{EVENTS}?start=yesterday", None, 400, None),
    ("PATCH", EVENTS, None, 405, None),
]


@pytest.mark.parametrize("method,path,body,status,message", REFUSED)
def test_errors_have_the_shape_of_the_framework(filled, method, path, body, status, message):
    answer = filled.send(method, path, JSON, body)
    assert answer.status == status
    error = answer.json()
    assert set(error) == {"timestamp", "status", "error", "message", "path"}
    assert (error["status"], error["path"]) == (status, path.partition("?")[0])
    assert error["message"] == message if message else error["message"]


def test_what_is_not_there(filled):
    name = str(uuid.uuid4())
    for method, path in [("GET", ""), ("DELETE", ""), ("PUT", "/acknowledge"), ("PUT", "/unacknowledge")]:
        answer = filled.send(method, f"{EVENTS}/{name}{path}", {"Content-Length": "0"})
        assert answer.status == 404 and answer.json()["message"] == f"Event with ID '{name}' not found."


def test_permissions(filled):
    basic = base64.b64encode(f"anyone:{filled.key}".encode()).decode()
    assert filled.send("GET", EVENTS, {"Authorization": f"Basic {basic}"}, key=None).status == 200
    for headers in ({}, {"Authorization": "Basic " + base64.b64encode(b"anyone:wrong").decode()}):
        answer = filled.send("GET", EVENTS, headers, key=None)
        assert answer.status == 401 and answer.headers["www-authenticate"] == 'Basic realm="Restricted"'
    reader = filled.make_key("reader", ["events:read"])
    assert filled.send("GET", EVENTS, key=reader).status == 200
    assert filled.send("POST", EVENTS, JSON, '{"severity":"info","summary":"s"}', key=reader).status == 403
    name = read(filled)[0]["id"]
    assert filled.send("PUT", f"{EVENTS}/{name}/acknowledge", {"Content-Length": "0"}, key=reader).status == 403
    assert filled.send("DELETE", f"{EVENTS}/{name}", key=reader).status == 403
