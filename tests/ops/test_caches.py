"""Caches at a desk: a server of this machine for each, or words on what is missing."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from ops.core.checkout import Checkout
from ops.local import processes
from ops.local.caches import Caches, NoServerError
from ops.local.ports import answers
from stacks.reading import read_platform
from stacks.settings import Environment
from tests.stacks.platform_files import environment, write_platform

SERVER = """#!{python}
import argparse, signal, socket, sys
parser = argparse.ArgumentParser()
for name in ("--bind", "--dir"):
    parser.add_argument(name)
parser.add_argument("--port", type=int)
parser.add_argument("--save", nargs=2)
settings = parser.parse_args()
with socket.create_server((settings.bind, settings.port)):
    signal.sigwait({{signal.SIGTERM}})
"""
"""A program with the arguments of a Valkey server that are given here."""


@pytest.fixture
def settings(tmp_path: Path) -> Environment:
    written = write_platform(
        tmp_path / "environments",
        dev=environment(services="[caches.sessions]\n[services.web]\nkind = 'status'\n"),
    )
    return read_platform(written).environments["dev"]


@pytest.fixture
def caches(tmp_path: Path, settings: Environment) -> Caches:
    checkout = Checkout(tmp_path)
    checkout.local.mkdir(parents=True)
    return Caches(checkout, settings)


def put_server(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    directory.mkdir()
    program = directory / "redis-server"
    program.write_text(SERVER.format(python=sys.executable))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")


def test_a_cache_is_run_once_and_goes_with_its_settings(
    caches: Caches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_server(tmp_path / "bin", monkeypatch)
    try:
        assert (caches.run("sessions"), caches.run("sessions")) == ("started", "unchanged")
        address = caches.address("sessions")
        assert answers(int(address.rpartition(":")[2]))
        others = replace(caches, environment=caches.environment.model_copy(update={"caches": {}}))
        others.stop_removed()
        assert caches.address("sessions") == ""
        assert processes.running("cache-dev-sessions", caches.checkout.local) is None
    finally:
        processes.stop("cache-dev-sessions", caches.checkout.local)


def test_what_is_missing_is_said(caches: Caches, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(NoServerError, match="apt-get install valkey-server"):
        caches.run("sessions")
    assert caches.address("sessions") == ""
