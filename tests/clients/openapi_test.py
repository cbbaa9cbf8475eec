"""Each `/openapi/{face}.json`: valid OpenAPI 3.1, and the server does what it says, tried by schemathesis."""

import os
import pathlib
import subprocess
import sys

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

FACES = [
    pytest.param(face, marks=pytest.mark.face(face))
    for face in ("hoody", "orgs", "deltafi", "waldur", "audit", "native")
]
PROGRAM = str(pathlib.Path(sys.executable).parent / "schemathesis")
CONFIG = str(pathlib.Path(__file__).with_name("schemathesis.toml"))
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "allow_header_conformance",
    "negative_data_rejection",
    "ignored_auth",
]
# A stream has no end, so nothing that waits for one can try it; the other tests read it.
ENDLESS = "/tail$"
SECONDS_MAX = 240


@pytest.fixture
def filled(server):
    """A few events, so that lists, pages and look-ups have something to show; the face before may have deleted them."""
    server.ingest(
        {
            "event_type": f"vm.kind{n % 3}",
            "message": f"message {n}",
            "org_id": "6f9619ff-8b86-4011-b42d-00cf4fc964ff",
            "container_id": "11111111-2222-4333-8444-555555555555",
            "user_id": n,
            "notification": n % 4 == 0,
            "payload": {"customer_uuid": "6f9619ff8b864011b42d00cf4fc964ff", "n": n},
        }
        for n in range(20)
    )
    return server


@pytest.mark.parametrize("face", FACES)
def test_the_document_is_valid(server, face):
    answer = server.send("GET", f"/openapi/{face}.json", key=None)
    assert answer.status == 200 and answer.headers["content-type"].startswith("application/json")
    document = answer.json()
    assert document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(document).validate()
    assert document["paths"], "a document without paths says nothing"


@pytest.mark.parametrize("face", FACES)
def test_the_server_does_what_the_document_says(filled, face, tmp_path):
    command = [
        PROGRAM,
        "--config-file",
        CONFIG,
        "run",
        f"{filled.url}/openapi/{face}.json",
        "--header",
        f"Authorization: Bearer {filled.key}",
    ]
    command += ["--checks", ",".join(CHECKS), "--exclude-path-regex", ENDLESS, "--phases", "examples,coverage,fuzzing"]
    command += ["--max-examples", os.environ.get("CLIENT_EXAMPLES", "40"), "--seed", "20240229", "--no-shrink"]
    command += ["--generation-database", "none", "--request-timeout", "30", "--suppress-health-check", "all"]
    command += ["--continue-on-failure", "--no-color", "--warnings", "off"]
    # It keeps its finds in the directory that it runs in.
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=SECONDS_MAX)
    assert done.returncode == 0, f"{face}:\n{done.stdout[-12_000:]}\n{done.stderr[-2_000:]}"
    print(done.stdout[-1_500:])
