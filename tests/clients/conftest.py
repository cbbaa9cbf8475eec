"""Chooses tests by face, gives every file of tests its server, and closes with the line that the caller reads."""

import os
import sys

import pytest

import server as annals

sys.dont_write_bytecode = True


@pytest.fixture(scope="module")
def server():
    started = annals.start()
    yield started
    annals.stop(started)


def pytest_collection_modifyitems(config, items):
    wanted = set(os.environ.get("CLIENT_FACES", "").split())
    if not wanted:
        return
    chosen = [item for item in items if wanted & faces_of(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = chosen


def faces_of(item) -> set[str]:
    return {argument for mark in item.iter_markers("face") for argument in mark.args}


def pytest_configure(config):
    config.addinivalue_line("markers", "face(name): the API that the test is about")


def pytest_terminal_summary(terminalreporter, config):
    counts = {name: len(terminalreporter.stats.get(name, [])) for name in ("passed", "failed", "error", "skipped")}
    config.closing_line = f"{counts['passed']} passed, {counts['failed'] + counts['error']} failed"
    if counts["skipped"]:
        config.closing_line += f", {counts['skipped']} NOT RUN"


def pytest_unconfigure(config):
    # Behind pytest's own last line.
    print(getattr(config, "closing_line", "0 passed, 0 failed"), flush=True)
