"""The image keeps to the contract, and its build sees only what it copies."""

import json
import re

from tests.docker.dockerfile import final_stage, instructions, only
from tests.places import ROOT
from webapp.checks import CHECKS
from webapp.contract import COMMAND, HEALTH_COMMAND, PORT, STOP_SIGNAL, USER
from webapp.health import TIMEOUT


def test_the_image_starts_the_app_as_the_contract_says() -> None:
    assert tuple(json.loads(only("CMD"))) == COMMAND
    assert only("USER") == USER
    assert only("EXPOSE") == str(PORT)
    assert only("STOPSIGNAL") == STOP_SIGNAL


def test_the_image_checks_its_health_as_the_contract_says_and_gives_the_check_time() -> None:
    options, _, command = only("HEALTHCHECK").partition("CMD ")
    assert tuple(json.loads(command)) == HEALTH_COMMAND
    timeout = re.search(r"--timeout=(\d+)s", options)
    assert timeout is not None
    assert int(timeout[1]) > TIMEOUT


def test_nothing_runs_as_root_in_the_container() -> None:
    names = [name for name, _ in final_stage()]
    assert names.index("USER") > max(index for index, name in enumerate(names) if name in ("RUN", "COPY"))
    assert "ENTRYPOINT" not in names


def test_the_base_is_pinned_by_digest_with_its_tag_beside_it() -> None:
    bases = [arguments.split()[0] for name, arguments in instructions() if name == "FROM"]
    outside = [base for base in bases if base != "base"]
    assert len(outside) == 1
    assert re.fullmatch(r"python:3\.\d+-slim@sha256:[0-9a-f]{64}", outside[0])


def test_botocore_keeps_the_services_that_the_checks_call() -> None:
    (install,) = [arguments for name, arguments in instructions() if "botocore/data" in arguments]
    kept = re.findall(r"! -name (\S+)", install)
    assert kept == sorted({client for check in CHECKS.values() for client in check.clients})


def test_the_build_sees_only_what_it_copies() -> None:
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    assert patterns[0] == "*"
    copied = {
        arguments.split()[0]
        for name, arguments in instructions()
        if name == "COPY" and not arguments.startswith("--from=")
    }
    assert {pattern[1:] for pattern in patterns if pattern.startswith("!")} == copied
    assert all((ROOT / path).exists() for path in copied)
