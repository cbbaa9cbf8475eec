"""The instavm SDK from its registry, unmodified: events, cursors, one event, the catalogue, refusals."""

import datetime

import audit_events
import pytest
import requests
from audit_events import KEYS, SESSIONS, STATUSES, TOTAL, TYPES, VMS
from instavm import InstaVM
from instavm.exceptions import AuthenticationError, ForbiddenError

pytestmark = pytest.mark.face("audit")

NOW = audit_events.now()
EVENTS = [audit_events.audit_event(n, NOW) for n in range(TOTAL)]
NEWEST_FIRST = list(reversed(range(TOTAL)))


def connect(server, key: str) -> InstaVM:
    # Starting a session is not part of the audit API.
    return InstaVM(api_key=key, base_url=server.url, auto_start_session=False)


@pytest.fixture(scope="module")
def sdk(server):
    server.ingest(EVENTS)
    return connect(server, server.key)


def numbers(page: dict) -> list[int]:
    return [item["event_payload"]["number"] for item in page["items"]]


def walk(sdk, **arguments) -> list[int]:
    """As the SDK's documentation pages: the same arguments and the cursor, until there is none."""
    seen, cursor = [], None
    for _ in range(TOTAL + 1):
        page = sdk.audit.events(cursor=cursor, **arguments)
        seen += numbers(page)
        cursor = page["next_cursor"]
        if not cursor:
            return seen
    raise AssertionError("the cursors do not end")


def test_a_page_is_the_fifty_newest(sdk):
    page = sdk.audit.events()
    assert set(page) == {"items", "next_cursor"}
    assert numbers(page) == NEWEST_FIRST[:50]
    assert isinstance(page["next_cursor"], str) and page["next_cursor"]


def test_items_have_the_keys_and_types_of_the_document(sdk):
    for item in sdk.audit.events(limit=200)["items"]:
        n = item["event_payload"]["number"]
        sent = dict(EVENTS[n])
        assert set(item) == KEYS
        created = datetime.datetime.fromisoformat(item["created_at"].replace("Z", "+00:00"))
        assert created == datetime.datetime.fromisoformat(sent.pop("created_at"))
        assert item["event_payload"] == sent.pop("payload")
        for name, value in sent.items():
            assert item[name] == value and type(item[name]) is type(value), name
        assert item["event_group"] == TYPES[n % 4].partition(".")[0]


def test_absent_values_are_null_and_required_ones_text(sdk):
    item = sdk.audit.get_event(audit_events.audit_id(0))
    assert item["actor_type"] == "user"
    for name in KEYS - set(EVENTS[0]) - {"actor_type", "event_group", "event_payload", "resource_type"}:
        assert item[name] is None, name


FILTERS = {
    "group": ({"event_group": "vm"}, lambda n: n % 4 < 2),
    "type": ({"event_type": TYPES[2]}, lambda n: n % 4 == 2),
    "status": ({"status": STATUSES[1]}, lambda n: n % 4 == 1),
    "user": ({"user_id": 3}, lambda n: n % 6 == 3),
    "user 0": ({"user_id": 0}, lambda n: n % 6 == 0),
    "vm": ({"vm_id": VMS[2]}, lambda n: n % 3 == 2),
    "session with a blank": ({"session_id": SESSIONS[0]}, lambda n: n % 3 == 0),
    "session with a slash": ({"session_id": SESSIONS[1]}, lambda n: n % 3 == 1),
    "session with a letter beyond ASCII": ({"session_id": SESSIONS[2]}, lambda n: n % 3 == 2),
    "all at once": (
        {"event_group": "vm", "event_type": TYPES[1], "status": STATUSES[1], "vm_id": VMS[1], "user_id": 1},
        lambda n: n % 12 == 1,
    ),
    "another case does not match": ({"event_type": "VM.CREATED"}, lambda n: False),
    "part of a value does not match": ({"vm_id": "vm-"}, lambda n: False),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(sdk, name):
    arguments, matches = FILTERS[name]
    expected = [n for n in NEWEST_FIRST if matches(n)]
    assert walk(sdk, limit=11, **arguments) == expected
    assert numbers(sdk.audit.events(limit=200, **arguments)) == expected[:200]


@pytest.mark.parametrize("limit", [1, 23, 200])
def test_cursors_yield_every_event_once(sdk, limit):
    wanted = NEWEST_FIRST if limit > 1 else [n for n in NEWEST_FIRST if n % 6 == 5]
    assert walk(sdk, limit=limit, **({"user_id": 5} if limit == 1 else {})) == wanted


def test_there_is_no_cursor_behind_the_last_item(sdk):
    exact = len([n for n in range(TOTAL) if n % 6 == 5])
    assert sdk.audit.events(user_id=5, limit=exact)["next_cursor"] is None
    assert sdk.audit.events(user_id=5, limit=exact - 1)["next_cursor"] is not None
    assert sdk.audit.events(vm_id="none") == {"items": [], "next_cursor": None}


def test_the_limit_may_change_between_pages(sdk):
    first = sdk.audit.events(limit=3)
    second = sdk.audit.events(limit=5, cursor=first["next_cursor"])
    assert numbers(first) + numbers(second) == NEWEST_FIRST[:8]


def test_what_arrives_while_paging_neither_shifts_nor_repeats(sdk, server):
    seen, cursor = [], None
    for turn in range(8):
        page = sdk.audit.events(vm_id="vm-2", limit=10, cursor=cursor)
        seen += numbers(page)
        cursor = page["next_cursor"]
        if not cursor:
            break
        server.ingest([{"event_type": "vm.late", "vm_id": "vm-2", "payload": {"number": 1000 + turn}}])
    try:
        assert cursor is None
        assert seen == [n for n in NEWEST_FIRST if n % 3 == 1]
    finally:
        server.native("DELETE", "/annals/v1/events?event_type=vm.late")


def test_one_event(sdk):
    for n in (0, 7, TOTAL - 1):
        item = sdk.audit.get_event(audit_events.audit_id(n))
        assert item["id"] == audit_events.audit_id(n) and item["event_payload"] == {"number": n}


@pytest.mark.parametrize("name", ["00000000-0000-4000-8000-000000000000", "no-id", "a/b?c"])
def test_an_event_that_is_not_there(sdk, name):
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        sdk.audit.get_event(name)
    assert caught.value.response.status_code == 404
    assert isinstance(caught.value.response.json()["detail"], str)


def test_catalog(sdk):
    catalog = sdk.audit.catalog()["catalog"]
    assert {group: sorted(types) for group, types in catalog.items()} == {
        "vm": ["vm.created", "vm.terminated"],
        "execution": ["execution.completed"],
        "snapshot": ["snapshot.failed"],
    }


LIMITS = {
    0: ("greater_than_equal", "Input should be greater than or equal to 1", {"ge": 1}),
    -5: ("greater_than_equal", "Input should be greater than or equal to 1", {"ge": 1}),
    201: ("less_than_equal", "Input should be less than or equal to 200", {"le": 200}),
    "ten": ("int_parsing", "Input should be a valid integer, unable to parse string as an integer", None),
    "": ("int_parsing", "Input should be a valid integer, unable to parse string as an integer", None),
}


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_out_of_range(sdk, limit):
    kind, message, context = LIMITS[limit]
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        sdk.audit.events(limit=limit)
    assert caught.value.response.status_code == 422
    wanted = {"type": kind, "loc": ["query", "limit"], "msg": message, "input": str(limit)}
    assert caught.value.response.json() == {"detail": [wanted | ({"ctx": context} if context else {})]}


def test_every_wrong_parameter_is_listed(sdk):
    with pytest.raises(requests.exceptions.HTTPError) as caught:
        sdk.audit.events(limit=0, user_id="me")
    locations = [entry["loc"] for entry in caught.value.response.json()["detail"]]
    assert sorted(locations) == [["query", "limit"], ["query", "user_id"]]


def test_a_cursor_of_something_else(sdk):
    cursor = sdk.audit.events(limit=5)["next_cursor"]
    forged = cursor[:-2] + ("AA" if not cursor.endswith("AA") else "BB")
    for arguments in ({"cursor": "nonsense"}, {"cursor": forged}, {"cursor": cursor, "vm_id": "vm-1"}):
        with pytest.raises(requests.exceptions.HTTPError) as caught:
            sdk.audit.events(**arguments)
        assert caught.value.response.status_code == 422
        assert caught.value.response.json()["detail"][0]["loc"] == ["query", "cursor"]


def test_a_wrong_key(server):
    for call in (lambda sdk: sdk.audit.events(), lambda sdk: sdk.audit.catalog(), lambda sdk: sdk.audit.get_event("x")):
        with pytest.raises(AuthenticationError):
            call(connect(server, "wrong"))
    # The key is looked at before the parameters.
    with pytest.raises(AuthenticationError):
        connect(server, "wrong").audit.events(limit=0)


def test_a_key_without_the_scope(server):
    with pytest.raises(ForbiddenError) as caught:
        connect(server, server.make_key("bell", ["notifications:read"])).audit.events()
    assert str(caught.value)


def test_a_limited_key_sees_its_own_events(sdk, server):
    realm = "5f0000000000000000000001"
    server.ingest([{"event_type": "realm.event", "realm_ids": [realm], "payload": {"number": 5000}}])
    try:
        limited = connect(server, server.make_key("realm", ["events:read"], realms=[realm]))
        assert numbers(limited.audit.events()) == [5000]
        assert limited.audit.catalog() == {"catalog": {"realm": ["realm.event"]}}
        # A cursor belongs to the caller that it was made for.
        foreign = sdk.audit.events(limit=5)["next_cursor"]
        with pytest.raises(requests.exceptions.HTTPError) as caught:
            limited.audit.events(limit=5, cursor=foreign)
        assert caught.value.response.status_code == 422
        with pytest.raises(requests.exceptions.HTTPError) as caught:
            limited.audit.get_event(audit_events.audit_id(0))
        assert caught.value.response.status_code == 404
    finally:
        server.native("DELETE", "/annals/v1/events?event_type=realm.event")
