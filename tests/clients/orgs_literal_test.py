"""The requests of the Locktera document, as written there, on both base paths that the vendor's examples use."""

import datetime
import json
import uuid

import pytest

pytestmark = pytest.mark.face("orgs")

ORG = "6f9619ff-8b86-4011-b42d-00cf4fc964ff"
OTHER_ORG = "7a0b1c2d-3e4f-4a5b-8c6d-7e8f90a1b2c3"
BOX, OTHER_BOX = "11111111-2222-4333-8444-555555555555", "99999999-8888-4777-8666-555555555555"
BASES = ["", "/api/v1"]
# The members of the document's example; it prints them without the braces.
SAMPLE = {"event_type": "ACCESS", "timestamp": "2023-11-18T12:00:00Z", "status": "SUCCESS"}
TEXT = {"content-type": "application/json"}


def log(server, body, org=ORG, container=BOX, base="", **more):
    target = f"{base}/orgs/{org}/containers/{container}/events"
    content = body if isinstance(body, str) else json.dumps(body)
    return server.send("POST", target, TEXT, content, **more)


def read(server, path, **more):
    answer = server.send("GET", path, **more)
    assert answer.status == 200, answer.body
    return answer.json()


@pytest.fixture(scope="module")
def filled(server):
    """One event of each kind in the organisation's first container, later ones later, and one elsewhere."""
    for n, (kind, status) in enumerate(
        [
            ("CREATE", "SUCCESS"),
            ("ACCESS", "SUCCESS"),
            ("access", "denied"),
            ("BLOCK", "SUCCESS"),
            ("EXPIRE", "SUCCESS"),
            ("FAIL", "FAILED"),
        ]
    ):
        moment = f"2024-03-01T10:0{n}:00Z"
        answer = log(server, {"event_type": kind, "timestamp": moment, "status": status})
        assert (answer.status, answer.json()) == (200, {"message": "Event logged successfully"})
    assert log(server, SAMPLE, org=OTHER_ORG).status == 200
    assert (
        log(server, {**SAMPLE, "event_type": "CREATE", "timestamp": "2024-03-02T00:00:00Z"}, container=OTHER_BOX).status
        == 200
    )
    return server


def kinds(page):
    return [(event["event_type"], event["status"]) for event in page["events"]]


@pytest.mark.parametrize("base", BASES)
def test_events_of_an_organisation(filled, base):
    page = read(filled, f"{base}/orgs/{ORG}/events")
    assert page["pagination"] == {"total": 7, "limit": 100, "offset": 0, "has_more": False}
    times = [event["timestamp"] for event in page["events"]]
    assert times == sorted(times, reverse=True)
    newest = page["events"][0]
    assert set(newest) == {"id", "org_id", "container_id", "event_type", "timestamp", "status"}
    assert uuid.UUID(newest.pop("id"))
    assert newest == {
        "org_id": ORG,
        "container_id": OTHER_BOX,
        "event_type": "CREATE",
        "timestamp": "2024-03-02T00:00:00.000Z",
        "status": "SUCCESS",
    }


BY = {
    "by_access": [("ACCESS", "denied"), ("ACCESS", "SUCCESS")],
    "by_block": [("BLOCK", "SUCCESS")],
    "by_create": [("CREATE", "SUCCESS"), ("CREATE", "SUCCESS")],
    "by_expire": [("EXPIRE", "SUCCESS")],
    "by_fail": [("FAIL", "FAILED"), ("ACCESS", "denied")],
}


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("name", BY)
def test_container_events_by_kind(filled, base, name):
    assert kinds(read(filled, f"{base}/orgs/{ORG}/container_events/{name}")) == BY[name]


@pytest.mark.parametrize("base", BASES)
def test_events_of_a_container(filled, base):
    page = read(filled, f"{base}/orgs/{ORG}/containers/{BOX}/events")
    assert page["pagination"]["total"] == 6
    assert {event["container_id"] for event in page["events"]} == {BOX}


def test_pages(filled):
    seen, offset = [], 0
    while True:
        page = read(filled, f"/orgs/{ORG}/events?limit=3&offset={offset}")
        seen += [event["id"] for event in page["events"]]
        offset += len(page["events"])
        if not page["pagination"]["has_more"]:
            break
    assert len(seen) == len(set(seen)) == 7


def test_the_example_of_the_document(filled):
    container = str(uuid.uuid4())
    answer = log(filled, SAMPLE, container=container)
    assert answer.status == 200
    assert answer.body == b'{"message":"Event logged successfully"}' or answer.json() == {
        "message": "Event logged successfully"
    }
    name = uuid.UUID(answer.headers["x-event-id"])
    (event,) = read(filled, f"/orgs/{ORG}/containers/{container}/events")["events"]
    assert uuid.UUID(event.pop("id")) == name
    assert event == {
        "org_id": ORG,
        "container_id": container,
        "event_type": "ACCESS",
        "timestamp": "2023-11-18T12:00:00.000Z",
        "status": "SUCCESS",
    }
    filled.native("DELETE", f"/annals/v1/events/{name}")


def test_the_event_may_be_wrapped_and_a_trailing_slash_is_fine(filled):
    container = str(uuid.uuid4())
    content = json.dumps({"event": {"event_type": "block"}})
    answer = filled.send("POST", f"/api/v1/orgs/{ORG}/containers/{container}/events/", TEXT, content)
    assert answer.status == 200
    (event,) = read(filled, f"/orgs/{ORG}/containers/{container}/events/")["events"]
    assert (event["event_type"], event["status"]) == ("BLOCK", "SUCCESS")
    made = datetime.datetime.fromisoformat(event["timestamp"].replace("Z", "+00:00"))
    assert abs(datetime.datetime.now(datetime.timezone.utc) - made) < datetime.timedelta(minutes=5)
    filled.native("DELETE", f"/annals/v1/events/{event['id']}")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "no json",
        "[]",
        '"ACCESS"',
        "{}",
        '{"event_type":""}',
        '{"event_type":"  "}',
        '{"event_type":5}',
        '{"event_type":"ACCESS","timestamp":"yesterday"}',
        '{"event_type":"ACCESS","status":5}',
        json.dumps({"event_type": "A" * 101}),
        '{"event":"ACCESS"}',
    ],
)
def test_a_wrong_event_is_refused(filled, body):
    before = read(filled, f"/orgs/{ORG}/events")["pagination"]["total"]
    answer = log(filled, body)
    assert answer.status == 400 and set(answer.json()) == {"message"} and answer.json()["message"]
    assert read(filled, f"/orgs/{ORG}/events")["pagination"]["total"] == before


@pytest.mark.parametrize("query", ["limit=0", "limit=501", "limit=x", "offset=-1"])
def test_a_wrong_parameter(filled, query):
    answer = filled.send("GET", f"/orgs/{ORG}/events?{query}")
    assert answer.status == 400 and set(answer.json()) == {"message"}


def test_without_a_key(filled):
    for method, path in [("GET", f"/orgs/{ORG}/events"), ("POST", f"/orgs/{ORG}/containers/{BOX}/events")]:
        for headers in ({}, {"Authorization": "Bearer wrong"}):
            answer = filled.send(method, path, {**TEXT, **headers}, "{}" if method == "POST" else None, key=None)
            assert answer.status == 401
            assert answer.headers["www-authenticate"].startswith("Bearer") and answer.json()["message"]


def test_a_key_of_another_organisation(filled):
    key = filled.make_key("other", ["events:read", "events:create"], orgs=[OTHER_ORG])
    assert read(filled, f"/orgs/{OTHER_ORG}/events", key=key)["pagination"]["total"] == 1
    for answer in (filled.send("GET", f"/orgs/{ORG}/events", key=key), log(filled, SAMPLE, key=key)):
        assert (answer.status, answer.json()) == (404, {"message": "Resource not found"})
    reader = filled.make_key("reader", ["events:read"])
    assert log(filled, SAMPLE, key=reader).status == 403


def test_an_organisation_without_events(filled):
    page = read(filled, f"/orgs/{uuid.uuid4()}/events")
    assert page == {"events": [], "pagination": {"total": 0, "limit": 100, "offset": 0, "has_more": False}}


def test_what_is_not_served(filled):
    for path in (f"/orgs/{ORG}", f"/orgs/{ORG}/container_events/by_colour", "/orgs"):
        answer = filled.send("GET", path)
        assert answer.status == 404 and set(answer.json()) == {"message"}
    answer = filled.send("DELETE", f"/orgs/{ORG}/events")
    assert answer.status == 405 and "GET" in answer.headers["allow"]
