"""Waldur requests beyond its Python client: the document's HTTPie lines and the edges of pages, fields, methods."""

import json
import pathlib
import subprocess
import sys

import pytest

pytestmark = pytest.mark.face("waldur")

HTTPIE = str(pathlib.Path(sys.executable).parent / "http")
TOTAL = 25
LINES = {
    "/api/events/": 10,
    "/api/events/123/": 5,
    "/api/events/count/": 1,
    "/api/events/event_groups/": 1,
    "/api/events/scope_types/": 1,
}


@pytest.fixture(scope="module")
def filled(server):
    server.ingest({"event_type": f"project_{n}", "message": f"m{n}", "payload": {"n": n}} for n in range(TOTAL))
    return server


def get(server, target, **headers):
    return server.send("GET", target, {"Authorization": f"Token {server.key}", **headers}, key=None)


def numbers(answer):
    return [event["context"]["n"] for event in answer.json()]


@pytest.mark.parametrize("path", LINES)
def test_the_httpie_lines_of_the_document(filled, path):
    line = f'http \\\n  GET \\\n  https://api.example.com{path} \\\n  Authorization:"Token YOUR_API_TOKEN"'
    line = line.replace("https://api.example.com", filled.url).replace("YOUR_API_TOKEN", filled.key)
    # The example's number is an event of another store; a terminal is what HTTPie expects on standard input.
    line = line.replace("/123/", "/7/").replace("http ", f"'{HTTPIE}' --ignore-stdin --check-status --body ", 1)
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(json.loads(done.stdout)) == LINES[path]


def test_the_slash_is_added_by_a_redirect(filled):
    for method in ("GET", "HEAD"):
        answer = filled.send(method, "/api/events?page=2&field=uuid")
        assert answer.status == 301
        assert answer.headers["location"].removeprefix(filled.url) == "/api/events/?page=2&field=uuid"


def test_pages_as_the_framework_reads_them(filled):
    assert numbers(get(filled, "/api/events/?page=last&page_size=10")) == list(range(4, -1, -1))
    for size in ("0", "ten", "-3", ""):
        assert len(get(filled, f"/api/events/?page_size={size}").json()) == 10
    for page in ("0", "x", "4", "1.5"):
        answer = get(filled, f"/api/events/?page={page}")
        assert (answer.status, answer.json()) == (404, {"detail": "Invalid page."})


def test_links_keep_the_other_parameters(filled):
    answer = get(filled, "/api/events/?page=2&page_size=10&field=uuid&field=message&x=1", **{"Host": "annals.example"})
    links = dict(reversed(part.split("; ")) for part in answer.headers["link"].split(", "))
    assert set(links) == {f'rel="{name}"' for name in ("first", "prev", "next", "last")}
    for link in links.values():
        assert link.startswith("<http://annals.example/api/events/?") and link.endswith(">")
        assert "field=uuid&field=message" in link and "page_size=10" in link
    forwarded = get(filled, "/api/events/", **{"Host": "annals.example", "X-Forwarded-Proto": "https"})
    assert forwarded.headers["link"].startswith("<https://annals.example/")


def test_unknown_fields_and_parameters(filled):
    assert set(get(filled, "/api/events/?field=uuid&field=nothing").json()[0]) == {"uuid"}
    assert len(get(filled, "/api/events/?field=nothing").json()[0]) == 5
    assert get(filled, "/api/events/?whatever=1").status == 200


def test_order(filled):
    assert numbers(get(filled, "/api/events/?o=created&page_size=2")) == [0, 1]
    answer = get(filled, "/api/events/?o=foo")
    assert (answer.status, answer.json()) == (
        400,
        {"o": ["Select a valid choice. foo is not one of the available choices."]},
    )


def test_excluded_features(filled):
    assert get(filled, "/api/events/?exclude_features=project").json() == []
    assert len(get(filled, "/api/events/?exclude_features=other").json()) == 10


def test_count_has_the_filters_of_the_list(filled):
    assert get(filled, "/api/events/count/?event_type=project_1&event_type=project_2").json() == {"count": 2}


def test_head_has_the_headers_of_get(filled):
    for path in ("/api/events/", "/api/events/count/", "/api/events/event_groups/", "/api/events/scope_types/"):
        head, full = filled.send("HEAD", path), get(filled, path)
        assert head.status == 200 and head.body == b""
        for name in ("content-type", "x-result-count", "content-length", "link"):
            assert head.headers.get(name) == full.headers.get(name), (path, name)
        assert int(head.headers["x-result-count"]) >= 1


def test_refusals(filled):
    answer = filled.send("GET", "/api/events/", key=None)
    assert (answer.status, answer.headers["www-authenticate"]) == (401, "Token")
    for method in ("POST", "PUT", "PATCH", "DELETE", "QUERY"):
        answer = filled.send(method, "/api/events/", {"Content-Length": "0"})
        assert (answer.status, answer.json()) == (405, {"detail": f'Method "{method}" not allowed.'})
        assert "GET" in answer.headers["allow"] and "HEAD" in answer.headers["allow"]
    assert get(filled, "/api/events/99999/").json() == {"detail": "No Event matches the given query."}
    assert get(filled, "/api/events/abc/").json() == {"detail": "Not found."}
