"""waldur-api-client from its registry, unmodified: lists, pages, filters, HEAD counts, statistics, refusals."""

import asyncio
import datetime
import json
import uuid
from collections import Counter

import httpx
import pytest
from waldur_api_client import AuthenticatedClient, Client
from waldur_api_client.api.events import (
    events_count,
    events_count_count,
    events_count_retrieve,
    events_event_groups_count,
    events_event_groups_retrieve,
    events_list,
    events_retrieve,
    events_scope_types_count,
    events_scope_types_retrieve,
)
from waldur_api_client.api.events_stats import events_stats_count, events_stats_list
from waldur_api_client.errors import UnexpectedStatus
from waldur_api_client.models.backend_resource_req_o_enum import BackendResourceReqOEnum as Order
from waldur_api_client.models.event_field_enum import EventFieldEnum as Field
from waldur_api_client.types import Unset
from waldur_api_client.utils import parse_link_header

pytestmark = pytest.mark.face("waldur")

UTC = datetime.timezone.utc
TOTAL = 320
STEP = datetime.timedelta(hours=5)
START = datetime.datetime(2025, 11, 3, 4, 5, 6, tzinfo=UTC)
TYPES = ["project_creation_succeeded", "project_update_succeeded", "customer_update_succeeded", "auth_logged_out"]
CUSTOMERS = [uuid.UUID(int=0xC0000 + n, version=4) for n in range(3)]
PROJECTS = [uuid.UUID(int=0xD0000 + n, version=4) for n in range(5)]
USERS = [uuid.UUID(int=0xE0000 + n, version=4) for n in range(7)]


def created(n: int) -> datetime.datetime:
    # Whole seconds and microseconds by turns: the API writes no decimals or six.
    return START + n * STEP + datetime.timedelta(microseconds=(n % 2) * 123_457)


def event(n: int) -> dict:
    # A comma and a semicolon in a filter are what breaks a careless Link header.
    message = f"Project {n} moved, split; joined" if n % 2 else f"Пользователь {n} вошёл"
    return {
        "id": str(uuid.UUID(int=0xA0000 + n, version=4)),
        "created_at": created(n).isoformat(),
        "event_type": TYPES[n % len(TYPES)],
        "resource_type": "structure.project" if n % 2 else "core.user",
        "message": message,
        "payload": {
            "customer_uuid": CUSTOMERS[n % 3].hex,
            "project_uuid": PROJECTS[n % 5].hex,
            "user_uuid": USERS[n % 7].hex,
            "number": n,
        },
    }


EVENTS = [event(n) for n in range(TOTAL)]
NEWEST_FIRST = list(reversed(range(TOTAL)))


@pytest.fixture(scope="module")
def client(server):
    server.ingest(EVENTS)
    with AuthenticatedClient(base_url=server.url, token=server.key) as ready:
        yield ready


def numbers(events) -> list[int]:
    return [item.context["number"] for item in events]


def refusal(caught) -> tuple[int, object]:
    return caught.value.status_code, json.loads(caught.value.content)


def test_first_page_is_the_ten_newest(client):
    events = events_list.sync(client=client)
    assert numbers(events) == NEWEST_FIRST[:10]
    for item in events:
        sent = EVENTS[item.context["number"]]
        assert item.uuid == uuid.UUID(sent["id"])
        assert item.created == datetime.datetime.fromisoformat(sent["created_at"])
        assert item.event_type == sent["event_type"]
        assert item.message == sent["message"]
        for key, value in sent["payload"].items():
            assert item.context[key] == value
        assert not item.additional_keys


def test_documented_keys_in_documented_form(client):
    answer = events_list.sync_detailed(client=client, page_size=2)
    raw = json.loads(answer.content)
    for item in raw:
        assert set(item) == {"uuid", "created", "event_type", "message", "context"}
        assert item["uuid"] == uuid.UUID(item["uuid"]).hex
        assert item["created"].endswith("Z")
        decimals = item["created"].removesuffix("Z").partition(".")[2]
        assert len(decimals) in (0, 6)


def test_links_and_count_of_a_page(client, server):
    headers = events_list.sync_detailed(client=client, page=2, page_size=50).headers
    assert headers["X-Result-Count"] == str(TOTAL)
    links = parse_link_header(headers["Link"])
    assert set(links) == {"first", "prev", "next", "last"}
    assert {name: httpx.URL(link).params.get("page") for name, link in links.items()} == {
        "first": None,
        "prev": None,
        "next": "3",
        "last": "7",
    }
    for link in links.values():
        assert link.startswith(f"{server.url}/api/events/?") and httpx.URL(link).params["page_size"] == "50"
        assert client.get_httpx_client().get(link).status_code == 200


def test_first_and_last_page_have_no_neighbour_beyond(client):
    first = parse_link_header(events_list.sync_detailed(client=client, page_size=100).headers["Link"])
    last = parse_link_header(events_list.sync_detailed(client=client, page_size=100, page=4).headers["Link"])
    assert "prev" not in first and "next" not in last
    assert set(first) == {"first", "next", "last"} and set(last) == {"first", "prev", "last"}


def test_sync_all_yields_every_event_once(client):
    assert numbers(events_list.sync_all(client=client)) == NEWEST_FIRST


def test_asyncio_all_yields_every_event_once(client, server):
    async def walk():
        async with AuthenticatedClient(base_url=server.url, token=server.key) as other:
            return await events_list.asyncio_all(client=other, o=[Order.CREATED])

    assert numbers(asyncio.run(walk())) == list(range(TOTAL))


def test_sync_all_with_separators_in_a_filter(client):
    found = events_list.sync_all(client=client, message="MOVED, split;")
    assert numbers(found) == [n for n in NEWEST_FIRST if n % 2]


@pytest.mark.parametrize("size", [7, 100, 300])
def test_pages_by_number_yield_every_event_once(client, size):
    seen = []
    for page in range(1, -(-TOTAL // size) + 1):
        seen += numbers(events_list.sync(client=client, page=page, page_size=size))
    assert seen == NEWEST_FIRST


def test_page_size_is_cut_at_300(client):
    answer = events_list.sync_detailed(client=client, page_size=1000)
    assert len(answer.parsed) == 300
    assert answer.headers["X-Result-Count"] == str(TOTAL)


FILTERS = {
    "event type": ({"event_type": ["auth_logged_out"]}, lambda n: n % 4 == 3),
    "any of two types": ({"event_type": [TYPES[0], TYPES[2]]}, lambda n: n % 2 == 0),
    "unknown type": ({"event_type": ["nothing"]}, lambda n: False),
    "feature": ({"feature": ["project"]}, lambda n: n % 4 in (0, 1)),
    "two features": ({"feature": ["customer", "auth"]}, lambda n: n % 4 in (2, 3)),
    "type and feature": ({"event_type": [TYPES[0], TYPES[3]], "feature": ["project"]}, lambda n: n % 4 == 0),
    "customer": ({"customer_uuid": CUSTOMERS[1]}, lambda n: n % 3 == 1),
    "project": ({"project_uuid": PROJECTS[2]}, lambda n: n % 5 == 2),
    "user": ({"user_uuid": USERS[3]}, lambda n: n % 7 == 3),
    "related user": ({"related_user_uuid": USERS[4]}, lambda n: n % 7 == 4),
    "customer and project": ({"customer_uuid": CUSTOMERS[0], "project_uuid": PROJECTS[0]}, lambda n: n % 15 == 0),
    "unknown customer": ({"customer_uuid": uuid.UUID(int=1, version=4)}, lambda n: False),
    "message in any case": ({"message": "пОЛЬЗОВАТЕЛЬ"}, lambda n: n % 2 == 0),
    "part of a message": ({"message": "ject 31"}, lambda n: n % 2 == 1 and f"ject {n} ".startswith("ject 31")),
    "from, inclusive": ({"created_from": created(100).timestamp()}, lambda n: n >= 100),
    "to, exclusive": ({"created_to": created(100).timestamp()}, lambda n: n < 100),
    "decimals are cut": ({"created_from": created(100).timestamp() + 0.9}, lambda n: n >= 100),
    "from and to": (
        {"created_from": int(created(10).timestamp()), "created_to": int(created(20).timestamp())},
        lambda n: 10 <= n < 20,
    ),
}


@pytest.mark.parametrize("name", FILTERS)
def test_filter(client, name):
    arguments, matches = FILTERS[name]
    expected = [n for n in NEWEST_FIRST if matches(n)]
    assert numbers(events_list.sync_all(client=client, **arguments)) == expected
    assert events_count.sync(client=client, **arguments) == len(expected)


def test_an_empty_list_has_its_headers(client):
    answer = events_list.sync_detailed(client=client, event_type=["nothing"])
    assert answer.parsed == [] and answer.headers["X-Result-Count"] == "0"
    assert set(parse_link_header(answer.headers["Link"])) == {"first", "last"}


def test_order(client):
    oldest = events_list.sync(client=client, o=[Order.CREATED], page_size=3)
    newest = events_list.sync(client=client, o=[Order.VALUE_0], page_size=3)
    assert numbers(oldest) == [0, 1, 2] and numbers(newest) == NEWEST_FIRST[:3]
    # The client repeats the parameter; the last one counts.
    last = events_list.sync(client=client, o=[Order.VALUE_0, Order.CREATED], page_size=3)
    assert numbers(last) == [0, 1, 2]


def test_field_keeps_only_what_is_named(client):
    (one,) = events_list.sync(client=client, field=[Field.UUID, Field.MESSAGE], page_size=1)
    assert one.uuid == uuid.UUID(EVENTS[-1]["id"]) and one.message == EVENTS[-1]["message"]
    assert isinstance(one.created, Unset) and isinstance(one.event_type, Unset) and isinstance(one.context, Unset)


@pytest.mark.parametrize("page", [0, -1, 33, 10**12])
def test_a_page_that_is_not_there(client, page):
    with pytest.raises(UnexpectedStatus) as caught:
        events_list.sync(client=client, page=page)
    assert refusal(caught) == (404, {"detail": "Invalid page."})


def test_head_counts_of_all_collections(client):
    assert events_count.sync(client=client) == TOTAL
    assert events_count.sync(client=client, page=2, page_size=100) == TOTAL
    assert events_count_count.sync(client=client) == TOTAL
    assert events_event_groups_count.sync(client=client) == 3
    assert events_scope_types_count.sync(client=client) == 2
    assert events_stats_count.sync(client=client) == len(months())


def test_count(client):
    assert events_count_retrieve.sync(client=client).count == TOTAL


def test_event_groups(client):
    groups = events_event_groups_retrieve.sync(client=client).additional_properties
    assert {name: sorted(types) for name, types in groups.items()} == {
        "auth": ["auth_logged_out"],
        "customer": ["customer_update_succeeded"],
        "project": ["project_creation_succeeded", "project_update_succeeded"],
    }


def test_scope_types(client):
    assert sorted(events_scope_types_retrieve.sync(client=client)) == ["core.user", "structure.project"]


def test_retrieve_by_number(client, server):
    for n in (0, 1, 159, TOTAL - 1):
        sequence = server.native("GET", f"/annals/v1/events/{EVENTS[n]['id']}")["sequence"]
        one = events_retrieve.sync(id=sequence, client=client)
        assert one.uuid == uuid.UUID(EVENTS[n]["id"]) and one.context["number"] == n
        part = events_retrieve.sync(id=sequence, client=client, field=[Field.EVENT_TYPE])
        assert part.event_type == TYPES[n % len(TYPES)] and isinstance(part.uuid, Unset)


@pytest.mark.parametrize("render", [str, lambda value: value.hex])
def test_retrieve_by_uuid(client, render):
    one = events_retrieve.sync(id=render(uuid.UUID(EVENTS[5]["id"])), client=client)
    assert one.context["number"] == 5


def test_retrieve_what_is_not_there(client):
    with pytest.raises(UnexpectedStatus) as caught:
        events_retrieve.sync(id=10**9, client=client)
    assert refusal(caught) == (404, {"detail": "No Event matches the given query."})
    with pytest.raises(UnexpectedStatus) as caught:
        events_retrieve.sync(id="nothing", client=client)
    assert refusal(caught) == (404, {"detail": "Not found."})


def months() -> list[tuple[int, int, int]]:
    counts = Counter((created(n).year, created(n).month) for n in range(TOTAL))
    return [(year, month, counts[year, month]) for year, month in sorted(counts, reverse=True)]


def test_statistics_by_month(client):
    rows = events_stats_list.sync_all(client=client)
    assert [(row.year, row.month, row.count) for row in rows] == months()
    some = events_stats_list.sync_all(client=client, event_type=[TYPES[0]])
    assert sum(row.count for row in some) == TOTAL // 4
    (first,) = events_stats_list.sync(client=client, page_size=1)
    assert (first.year, first.month, first.count) == months()[0]


WRONG = {
    "customer_uuid": ("no-uuid", "Enter a valid UUID."),
    "project_uuid": ("1234", "Enter a valid UUID."),
    "created_from": ("yesterday", "Enter a number."),
    "created_to": ("yesterday", "Enter a number."),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_parameter_is_named(client, name):
    value, sentence = WRONG[name]
    with pytest.raises(UnexpectedStatus) as caught:
        events_list.sync(client=client, **{name: value})
    assert refusal(caught) == (400, {name: [sentence]})


def test_without_and_with_a_wrong_key(server, client):
    with pytest.raises(UnexpectedStatus) as caught:
        events_list.sync(client=Client(base_url=server.url))
    assert refusal(caught) == (401, {"detail": "Authentication credentials were not provided."})
    for call in (events_list, events_count_retrieve, events_event_groups_retrieve, events_scope_types_retrieve):
        with pytest.raises(UnexpectedStatus) as caught:
            call.sync(client=AuthenticatedClient(base_url=server.url, token="wrong"))
        assert refusal(caught) == (401, {"detail": "Invalid token."})
    with pytest.raises(UnexpectedStatus) as caught:
        events_count.sync(client=AuthenticatedClient(base_url=server.url, token="wrong"))
    assert caught.value.status_code == 401


def test_a_key_without_the_scope(server, client):
    other = AuthenticatedClient(base_url=server.url, token=server.make_key("bell", ["notifications:read"]))
    with pytest.raises(UnexpectedStatus) as caught:
        events_list.sync(client=other)
    assert refusal(caught) == (403, {"detail": "You do not have permission to perform this action."})


def test_a_limited_key_sees_its_own_events(server, client):
    # The organisation of an event is its customer: a key of that customer sees these and counts these.
    token = server.make_key("customer", ["events:read"], orgs=[CUSTOMERS[2].hex])
    with AuthenticatedClient(base_url=server.url, token=token) as other:
        expected = [n for n in NEWEST_FIRST if n % 3 == 2]
        assert numbers(events_list.sync_all(client=other)) == expected
        assert events_count.sync(client=other) == events_count_retrieve.sync(client=other).count == len(expected)
        foreign = server.native("GET", f"/annals/v1/events/{EVENTS[0]['id']}")["sequence"]
        with pytest.raises(UnexpectedStatus) as caught:
            events_retrieve.sync(id=foreign, client=other)
        assert caught.value.status_code == 404


def test_the_same_key_in_other_schemes(server, client):
    for prefix in ("Bearer", ""):
        with AuthenticatedClient(base_url=server.url, token=server.key, prefix=prefix) as other:
            assert events_count_retrieve.sync(client=other).count == TOTAL


def test_the_sample_of_the_document(server, client, capsys):
    sample = """
from waldur_api_client.client import AuthenticatedClient
from waldur_api_client.api.events import events_list # (1)

client = AuthenticatedClient(
    base_url="https://api.example.com", token="YOUR_API_TOKEN"
)
response = events_list.sync(client=client)

for item in response:
    print(item)
"""
    exec(sample.replace("https://api.example.com", server.url).replace("YOUR_API_TOKEN", server.key), {})
    assert capsys.readouterr().out.count("Event(uuid=") == 10
