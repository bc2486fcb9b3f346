"""The image keeps to the contract, and its build sees only what it copies."""

import json
import re
from pathlib import Path

from webapp.contract import COMMAND, HEALTH_COMMAND, PORT, STOP_SIGNAL, USER
from webapp.health import TIMEOUT

ROOT = Path(__file__).parents[2]


def instructions() -> list[tuple[str, str]]:
    """Each instruction of the Dockerfile with its arguments, in order and on one line."""
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines))
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in joined.splitlines())]


def final_stage() -> list[tuple[str, str]]:
    """The instructions of the stage that becomes the image."""
    stages = [index for index, (name, _) in enumerate(instructions()) if name == "FROM"]
    return instructions()[stages[-1] :]


def only(name: str) -> str:
    """The arguments of an instruction that stands once in the final stage."""
    found = [arguments for instruction, arguments in final_stage() if instruction == name]
    assert len(found) == 1, f"{name}: {found}"
    return found[0]


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


def test_dependencies_come_from_the_lock_and_nothing_else() -> None:
    installs = [arguments for name, arguments in instructions() if name == "RUN" and "pip" in arguments]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert "COPY requirements/app.txt /build/requirements.txt" in [" ".join(line) for line in instructions()]


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
