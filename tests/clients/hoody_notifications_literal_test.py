"""The notification calls of the Hoody TypeScript SDK, as its code sends them, and the document's sample."""

import datetime
import re
import time

import pytest
from hoody_sdk import Sdk

pytestmark = pytest.mark.face("hoody")

UTC = datetime.timezone.utc
PUBLIC = {
    "title": "System Maintenance Notice",
    "message": "Scheduled maintenance will occur on January 25th at 2:00 AM UTC.",
    "type": "MAINTENANCE",
    "severity": "WARNING",
    "is_public": True,
    "is_global": True,
    "expires_at": (datetime.datetime.now(UTC) + datetime.timedelta(days=5)).isoformat(timespec="milliseconds"),
}
PUBLIC_KEYS = {
    "id", "title", "message", "type", "severity", "is_public", "is_global", "target_user_ids", "expires_at",
    "created_at", "updated_at",
}  # fmt: skip
LIST = ("Notifications retrieved successfully", "GET", "/api/v1/notifications/")
LIST_PUBLIC = ("Public notifications retrieved successfully", "GET", "/api/v1/notifications/public")


@pytest.fixture(scope="module")
def users(server):
    """Two users, a public notification, a global one, one for the first user, and one that has expired."""
    scopes = ["notifications:read", "events:read"]
    first = Sdk(server, key=server.make_key("first", scopes, user_id="user-1"))
    second = Sdk(server, key=server.make_key("second", scopes, user_id="user-2"))
    past = (datetime.datetime.now(UTC) + datetime.timedelta(seconds=1)).isoformat()
    for more in (
        PUBLIC,
        {"title": "global", "message": "for everyone", "type": "ANNOUNCEMENT", "severity": "INFO", "is_global": True},
        {
            "title": "targeted",
            "message": "for one",
            "severity": "SUCCESS",
            "target_user_ids": ["user-1"],
            "is_global": False,
        },
    ):
        server.native("POST", "/annals/v1/notifications", more)
    server.native("POST", "/annals/v1/notifications", {**PUBLIC, "title": "short-lived", "expires_at": past})
    return first, second


def titles(notifications: list[dict]) -> list[str]:
    return [one["title"] for one in notifications if one["title"] != "short-lived"]


def test_the_notification_of_the_document(users):
    notification = next(one for one in users[0].data(*LIST) if one["title"] == PUBLIC["title"])
    assert set(notification) == PUBLIC_KEYS | {"is_read", "read_at"}
    assert {name: notification[name] for name in ("message", "type", "severity", "is_public", "is_global")} == {
        name: PUBLIC[name] for name in ("message", "type", "severity", "is_public", "is_global")
    }
    assert notification["target_user_ids"] is None
    assert (notification["is_read"], notification["read_at"]) == (False, None)
    assert re.fullmatch("[0-9a-f]{24}", notification["id"])
    for name in ("expires_at", "created_at", "updated_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", notification[name])


def test_everyone_sees_global_ones_and_their_own_newest_first(users):
    assert titles(users[0].data(*LIST)) == ["targeted", "global", PUBLIC["title"]]
    assert titles(users[1].data(*LIST)) == ["global", PUBLIC["title"]]


def test_public_ones_need_no_key(users, server):
    answer = server.send("GET", "/api/v1/notifications/public", {"Content-Type": "application/json"}, key=None)
    assert answer.status == 200
    public = [one for one in answer.json()["data"] if one["title"] != "short-lived"]
    assert titles(public) == [PUBLIC["title"]] and set(public[0]) == PUBLIC_KEYS
    # A client that has a key sends it here too.
    assert titles(users[0].data(*LIST_PUBLIC)) == [PUBLIC["title"]]


def test_a_read_has_one_receipt(users):
    first, second = users
    target = next(one for one in first.data(*LIST) if one["title"] == "global")
    path = f"/api/v1/notifications/{target['id']}/read"
    receipt = first.data("Notification marked as read", "PUT", path)
    assert set(receipt) == {"id", "notification_id", "is_read", "read_at"}
    assert (receipt["notification_id"], receipt["is_read"]) == (target["id"], True)
    assert re.fullmatch("[0-9a-f]{24}", receipt["id"]) and receipt["id"] != target["id"]
    assert first.data("Notification marked as read", "PUT", path) == receipt

    seen = next(one for one in first.data(*LIST) if one["id"] == target["id"])
    assert (seen["is_read"], seen["read_at"]) == (True, receipt["read_at"])
    other = next(one for one in second.data(*LIST) if one["id"] == target["id"])
    assert (other["is_read"], other["read_at"]) == (False, None)


def test_a_read_is_an_event(users, server):
    first, _ = users
    target = next(one for one in first.data(*LIST) if one["title"] == "targeted")
    receipt = first.data("Notification marked as read", "PUT", f"/api/v1/notifications/{target['id']}/read")
    event = Sdk(server).data("Event retrieved successfully", "GET", f"/api/v1/events/{receipt['id']}")
    assert (event["event_type"], event["resource_type"]) == ("notification.read", "notification")
    assert (event["resource_id"], event["user_id"]) == (target["id"], "user-1")


def test_what_cannot_be_read(users):
    first, second = users
    target = next(one for one in first.data(*LIST) if one["title"] == "targeted")
    assert second.call("PUT", f"/api/v1/notifications/{target['id']}/read").status == 404
    assert first.call("PUT", f"/api/v1/notifications/{1:024x}/read").status == 404
    assert first.call("PUT", "/api/v1/notifications/xyz/read").status == 400


def test_read_all_counts_what_is_newly_read(users):
    _, second = users
    unread = sum(not one["is_read"] for one in second.data(*LIST))
    mark_all = ("All notifications marked as read", "PUT", "/api/v1/notifications/read-all")
    counted = second.data(*mark_all)["count"]
    # One of them may have expired in between.
    assert unread - 1 <= counted <= unread and counted >= 2
    assert second.data(*mark_all) == {"count": 0}
    assert all(one["is_read"] for one in second.data(*LIST))


def test_an_expired_one_is_gone(users, server):
    time.sleep(1.2)
    assert "short-lived" not in [one["title"] for one in users[0].data(*LIST)]
    assert "short-lived" not in [one["title"] for one in users[0].data(*LIST_PUBLIC)]


def test_without_a_key_or_the_scope(users, server):
    for method, path in [("GET", "/"), ("PUT", "/read-all"), ("PUT", f"/{1:024x}/read")]:
        assert server.send(method, f"/api/v1/notifications{path}", {"Content-Length": "0"}, key=None).status == 401
    other = Sdk(server, key=server.make_key("events only", ["events:read"]))
    assert other.call("GET", "/api/v1/notifications/").status == 403
