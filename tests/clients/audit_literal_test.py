"""The InstaVM audit API as its document describes it: the token scheme, headers and the 26 keys."""

import json
from urllib.parse import urlencode

import pytest
from audit_events import KEYS

pytestmark = pytest.mark.face("audit")

FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PASSWORD = "correct horse & battery=staple"


@pytest.fixture(scope="module")
def filled(server):
    server.ingest({"event_type": "vm.created", "user_id": n % 2, "payload": {"n": n}} for n in range(5))
    user = {"username": "ada", "password": PASSWORD, "scopes": ["events:read"]}
    server.native("POST", "/annals/v1/users", user)
    return server


def log_in(server, **form):
    return server.send("POST", "/v1/auth/token", FORM, urlencode(form), key=None)


def test_a_bearer_token_for_a_password(filled):
    answer = log_in(filled, grant_type="password", username="ada", password=PASSWORD, scope="")
    assert answer.status == 200
    token = answer.json()
    assert set(token) >= {"access_token", "token_type", "expires_in"}
    assert token["token_type"] == "bearer" and token["expires_in"] == 3600
    page = filled.send("GET", "/v1/audit/events", key=token["access_token"])
    assert page.status == 200 and len(page.json()["items"]) == 5
    # A token is for what the user may do, nothing more.
    assert filled.send("DELETE", "/annals/v1/events?event_type=vm.created", key=token["access_token"]).status == 403


@pytest.mark.parametrize("form", [{"username": "ada", "password": "wrong"}, {"username": "eve", "password": PASSWORD}])
def test_a_wrong_password_and_an_unknown_user_look_the_same(filled, form):
    answer = log_in(filled, **form)
    assert answer.status == 401 and set(answer.json()) == {"detail"}
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json() == log_in(filled, username="nobody", password="nothing").json()


def test_a_form_without_a_password(filled):
    answer = log_in(filled, username="ada")
    assert answer.status == 422
    assert [entry["loc"] for entry in answer.json()["detail"]] == [["body", "password"]]


def test_the_document_s_response(filled):
    answer = filled.send("GET", "/v1/audit/events?limit=2", {"X-API-Key": filled.key}, key=None)
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/json")
    page = answer.json()
    assert set(page) == {"items", "next_cursor"} and all(set(item) == KEYS for item in page["items"])
    assert [item["event_payload"]["n"] for item in page["items"]] == [4, 3]
    for item in page["items"]:
        assert (item["actor_type"], item["source"], item["status"]) == ("user", "api", "success")
        assert item["created_at"].endswith("Z")


def test_refusals(filled):
    answer = filled.send("GET", "/v1/audit/events?limit=0", key=None)
    assert (answer.status, answer.json()) == (401, {"detail": "Not authenticated"})
    assert answer.headers["www-authenticate"] == "Bearer"
    answer = filled.send("POST", "/v1/audit/events", {"Content-Length": "0"})
    assert answer.status == 405 and "GET" in answer.headers["allow"] and set(answer.json()) == {"detail"}
    assert filled.send("GET", "/v1/audit/nothing").json() == {"detail": "Not Found"}
    answer = filled.send("GET", "/v1/audit/events?user_id=1.5&limit=999")
    assert answer.status == 422
    for entry in answer.json()["detail"]:
        assert {"loc", "msg", "type"} <= set(entry) and json.dumps(entry["input"])


def test_a_trailing_slash(filled):
    assert filled.send("GET", "/v1/audit/events/").status == 200
    assert filled.send("GET", "/v1/audit/catalog/").json() == {"catalog": {"vm": ["vm.created"]}}
