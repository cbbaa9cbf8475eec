"""The requests of the Hoody TypeScript SDK, which no registry has, as its code sends them; the document's samples."""

import datetime
from typing import Any

import pytest
from hoody_sdk import Sdk

pytestmark = pytest.mark.face("hoody")

UTC = datetime.timezone.utc
REALM, OTHER_REALM = "507f1f77bcf86cd799439022", "60ee60ee60ee60ee60ee60ee"
# The event of the document, word for word.
SAMPLE: dict[str, Any] = {
    "id": "507f1f77bcf86cd799439044",
    "event_type": "container.running",
    "resource_type": "container",
    "resource_id": "507f1f77bcf86cd799439033",
    "user_id": "507f1f77bcf86cd799439011",
    "payload": {
        "container": {
            "id": "507f1f77bcf86cd799439033",
            "name": "web-app-1",
            "status": "running",
            "project_id": "507f1f77bcf86cd799439022",
        }
    },
    "realm_ids": ["507f1f77bcf86cd799439022"],
    "created_at": "2025-01-15T10:30:05.123Z",
}
TYPES = ["container.stopped", "storage.share.mount_changed", "user.created"]
RESOURCES = ["container", "storage_share", "user"]
TOTAL = 230  # with the sample: more than two of the iterator's pages of 100


def created(n: int) -> str:
    moment = datetime.datetime(2025, 2, 1, tzinfo=UTC) + n * datetime.timedelta(minutes=37, milliseconds=n)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def event(n: int) -> dict[str, Any]:
    return {
        "id": f"{0xABC000 + n:024x}",
        "created_at": created(n),
        "event_type": TYPES[n % 3],
        "resource_type": RESOURCES[n % 3],
        "resource_id": f"{n % 10:024x}",
        "user_id": f"{n % 4 + 1:024x}",
        "project_id": f"{n % 5 + 100:024x}",
        "realm_ids": [REALM] if n % 2 else [OTHER_REALM, REALM],
        "payload": {"n": n},
    }


EVENTS = [event(n) for n in range(TOTAL)]
NEWEST_FIRST = [one["id"] for one in reversed(EVENTS)] + [SAMPLE["id"]]


@pytest.fixture(scope="module")
def sdk(server):
    server.ingest([SAMPLE, *EVENTS])
    return Sdk(server)


def ids(events: list[dict]) -> list[str]:
    return [one["id"] for one in events]


def test_the_event_of_the_document_comes_back_as_it_is_printed_there(sdk):
    page = sdk.page(event_type="container.running")
    assert page == {"events": [SAMPLE], "pagination": {"total": 1, "limit": 100, "offset": 0, "has_more": False}}
    path = f"/api/v1/events/{SAMPLE['id']}"
    assert sdk.data("Event retrieved successfully", "GET", path) == SAMPLE


def test_list_as_in_the_sample(sdk):
    page = sdk.page(limit=100, sort_by="created_at", sort_order="desc")
    assert ids(page["events"]) == NEWEST_FIRST[:100]
    assert page["pagination"] == {"total": TOTAL + 1, "limit": 100, "offset": 0, "has_more": True}
    keys = {"id", "event_type", "resource_type", "resource_id", "user_id", "payload", "realm_ids", "created_at"}
    assert all(set(one) == keys for one in page["events"])


def test_the_iterator_yields_every_event_once(sdk):
    assert ids(sdk.iterate(sort_by="created_at", sort_order="desc")) == NEWEST_FIRST
    assert ids(sdk.iterate(limit=7, sort_order="asc")) == NEWEST_FIRST[::-1]
    by_type = sdk.iterate(sort_by="event_type", sort_order="asc", limit=50)
    assert [one["event_type"] for one in by_type] == sorted(one["event_type"] for one in [*EVENTS, SAMPLE])
    assert sorted(ids(by_type)) == sorted(NEWEST_FIRST)


FILTERS = {
    "event_type": (TYPES[1], lambda one: one["event_type"] == TYPES[1]),
    "resource_type": ("user", lambda one: one["resource_type"] == "user"),
    "resource_id": (f"{3:024x}", lambda one: one["resource_id"] == f"{3:024x}"),
    "project_id": (f"{101:024x}", lambda one: one.get("project_id") == f"{101:024x}"),
    "container_id": (f"{6:024x}", lambda one: (one["resource_type"], one["resource_id"]) == ("container", f"{6:024x}")),
    "realm_id": (OTHER_REALM, lambda one: OTHER_REALM in one["realm_ids"]),
    "start_date": (created(100), lambda one: one["created_at"] >= created(100)),
    "end_date": (created(100), lambda one: one["created_at"] <= created(100)),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(sdk, name):
    value, matches = FILTERS[name]
    found = sdk.iterate(**{name: value})
    assert ids(found) == [one["id"] for one in [*reversed(EVENTS), SAMPLE] if matches(one)]


def test_project_and_container_are_found_in_the_payload(sdk):
    assert sdk.page(project_id="507f1f77bcf86cd799439022")["events"] == [SAMPLE]
    assert sdk.page(container_id="507f1f77bcf86cd799439033")["events"] == [SAMPLE]


def test_statistics(sdk):
    data = sdk.data("Event statistics retrieved successfully", "GET", "/api/v1/events/stats")
    assert data["total_events"] == TOTAL + 1 == sum(data["by_type"].values()) == sum(data["by_resource"].values())
    assert (data["oldest_event"], data["newest_event"]) == (SAMPLE["created_at"], created(TOTAL - 1))
    query = {"start_date": "2025-01-01T00:00:00.000Z", "end_date": "2025-01-31T23:59:59.999Z"}
    january = sdk.data("Event statistics retrieved successfully", "GET", "/api/v1/events/stats", query)
    assert january == {
        "total_events": 1,
        "by_type": {"container.running": 1},
        "by_resource": {"container": 1},
        "oldest_event": SAMPLE["created_at"],
        "newest_event": SAMPLE["created_at"],
    }


def test_a_realm_in_the_host_limits_every_call(sdk, server):
    scoped = Sdk(server, realm=OTHER_REALM)
    wanted = [one["id"] for one in reversed(EVENTS) if OTHER_REALM in one["realm_ids"]]
    assert ids(scoped.iterate()) == wanted
    assert scoped.call("GET", f"/api/v1/events/{SAMPLE['id']}").status == 404
    data = scoped.data("Event statistics retrieved successfully", "GET", "/api/v1/events/stats")
    assert data["total_events"] == len(wanted)


REFUSED = {
    "limit": ["0", "501", "-1", "1.5", "ten", ""],
    "offset": ["-1", "x"],
    "sort_by": ["id", ""],
    "sort_order": ["up"],
    "start_date": ["yesterday"],
    "end_date": ["2025-13-01"],
}


@pytest.mark.parametrize("name,value", [(name, value) for name, values in REFUSED.items() for value in values])
def test_a_wrong_parameter(sdk, name, value):
    answer = sdk.call("GET", "/api/v1/events", {name: value})
    assert answer.status == 400
    error = answer.json()
    assert (error["statusCode"], error["error"]) == (400, "Bad Request") and error["message"]
    assert [entry["instancePath"] for entry in error["data"]] == [f"/{name}"]


def test_errors_have_what_the_sdk_shows(sdk, server):
    for answer, status, error in [
        (Sdk(server, key="wrong").call("GET", "/api/v1/events"), 401, "Unauthorized"),
        (sdk.call("GET", f"/api/v1/events/{0:024x}"), 404, "Not Found"),
        (sdk.call("GET", "/api/v1/events/xyz"), 400, "Bad Request"),
        (sdk.call("PATCH", "/api/v1/events"), 405, "Method Not Allowed"),
    ]:
        body = answer.json()
        assert (answer.status, body["statusCode"], body["error"]) == (status, status, error)
        assert isinstance(body["message"], str) and body["message"]


def test_other_ways_to_give_the_key(sdk, server):
    for headers in ({"Authorization": server.key}, {"Authorization": f"Token {server.key}"}, {"X-API-Key": server.key}):
        answer = server.send("GET", "/api/v1/events?limit=1", headers, key=None)
        assert answer.status == 200, headers


def test_deletes(sdk, server):
    def add(count: int, **fields) -> None:
        server.ingest([{"event_type": "container.deleting", "resource_type": "container", **fields}] * count)

    def left() -> int:
        return sdk.page(event_type="container.deleting")["pagination"]["total"]

    add(5, resource_id="507f1f77bcf86cd7994390aa")
    add(3, created_at="2024-12-01T00:00:00Z")
    add(1, created_at="2024-12-15T00:00:00Z")
    bulk = ("Events deleted successfully", "DELETE", "/api/v1/events")
    assert sdk.data(*bulk, body={"resource_id": "507f1f77bcf86cd7994390aa"}) == {"deleted_count": 5}
    body = {"resource_type": "container", "before_date": "2024-12-15T00:00:00.000Z"}
    assert sdk.data(*bulk, body=body) == {"deleted_count": 3}
    assert left() == 1
    (last,) = sdk.page(event_type="container.deleting")["events"]
    # The SDK takes an answer without `data` for something else; a DELETE without a body still names a content type.
    assert sdk.data("Event deleted successfully", "DELETE", f"/api/v1/events/{last['id']}") is None
    assert left() == 0
    assert sdk.call("DELETE", f"/api/v1/events/{last['id']}").status == 404
    for wrong in ({}, {"everything": True}, {"event_type": 5}, {"before_date": "soon"}):
        assert sdk.call("DELETE", "/api/v1/events", body=wrong).status == 400
    assert sdk.page()["pagination"]["total"] == TOTAL + 1


def test_cleanup(sdk, server):
    now = datetime.datetime.now(UTC)
    for days in (29, 31):
        moment = (now - datetime.timedelta(days=days)).isoformat()
        server.ingest([{"event_type": "recent", "created_at": moment, "realm_ids": [OTHER_REALM]}])
    for wrong in (
        {},
        {"retention_days": 0},
        {"retention_days": 366},
        {"retention_days": "30"},
        {"retention_days": 1.5},
    ):
        assert sdk.call("POST", "/api/v1/events/cleanup", body=wrong).status == 400
    reader = Sdk(server, key=server.make_key("reader", ["events:read", "events:delete"]))
    refused = reader.call("POST", "/api/v1/events/cleanup", body={"retention_days": 30})
    assert (refused.status, refused.json()["message"]) == (403, "Admin access required")

    # A key of another realm cleans up its own events only, so that the other tests keep theirs.
    own = server.make_key("own", ["events:read", "events:retention"], realms=["70aa70aa70aa70aa70aa70aa"])
    old = (now - datetime.timedelta(days=40)).isoformat()
    server.ingest([{"event_type": "old", "created_at": old, "realm_ids": ["70aa70aa70aa70aa70aa70aa"]}] * 4)
    data = Sdk(server, key=own).data(
        "Old events cleaned up successfully", "POST", "/api/v1/events/cleanup", body={"retention_days": 30}
    )
    assert (data["deleted_count"], data["retention_days"]) == (4, 30)
    cutoff = datetime.datetime.fromisoformat(data["cutoff_date"].replace("Z", "+00:00"))
    assert abs(now - datetime.timedelta(days=30) - cutoff) < datetime.timedelta(minutes=5)
    assert sdk.page(event_type="recent")["pagination"]["total"] == 2
    assert sdk.data("Events deleted successfully", "DELETE", "/api/v1/events", body={"event_type": "recent"}) == {
        "deleted_count": 2
    }
