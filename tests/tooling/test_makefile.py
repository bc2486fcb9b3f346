"""The Makefile, run by the real make in a directory that looks set up.

Where `.venv/bin/python` would be stands a program that prints the arguments it is given.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.places import ROOT

PRINTS_ARGUMENTS = f"#!{sys.executable}\nimport json, sys\nprint(json.dumps(sys.argv[1:]))\n"
PRINTS_DIRECTORY = f"#!{sys.executable}\nimport os\nprint(os.environ.get('DIRECTORY', ''))\n"
TRICKY_VALUES = [
    "$(touch intruder)",
    "$(shell touch intruder)",
    "$$(touch intruder)",
    "dev; touch intruder",
    "dev`touch intruder`",
    "dev\ntouch intruder",
    "'; touch intruder; '",
    '" && touch intruder "',
    "two  words",
    "${HOME} $HOME # % \\",
    "--env=prod",
]


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A directory with the Makefile in it that looks set up to make."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    for name in ("requirements/setup.txt", "requirements/dev.txt", "ops/terraform/fetch.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    _program(tmp_path / ".venv/bin/python", PRINTS_ARGUMENTS)
    _program(tmp_path / ".tools/terraform", "")
    (tmp_path / ".venv/.complete").touch()
    return tmp_path


def _make(checkout: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    # What make sets for the make that runs these tests must not reach the one under test.
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
    }
    return subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )


def _arguments(finished: subprocess.CompletedProcess[str]) -> list[str]:
    assert (finished.returncode, finished.stderr) == (0, "")
    arguments: list[str] = json.loads(finished.stdout)
    return arguments


def test_make_alone_lists_every_target_with_what_it_does(checkout: Path) -> None:
    finished = _make(checkout)
    targets = re.findall(r"^\.PHONY: (.+)$", (checkout / "Makefile").read_text(), re.MULTILINE)
    listed = re.findall(r"^  make ([a-z-]+) +[A-Z].+$", finished.stdout, re.MULTILINE)
    assert listed == [target for target in targets if target != "always"]
    assert finished.stdout == _make(checkout, "help").stdout


def test_help_names_every_variable_that_a_recipe_reads(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    for target, description, recipe in re.findall(
        r"^([a-z-]+):.*## (.+)\n((?:\t.*\n)+)", makefile, re.MULTILINE
    ):
        named = set(re.findall(r"\b([A-Z_]+)=(?!\d)", description))
        assert named == set(re.findall(r"\$\$\{([A-Z_]+)", recipe)) | (
            {"PYTHON"} if target == "setup" else set()
        )


def test_every_variable_that_a_recipe_reads_is_taken_literally(checkout: Path) -> None:
    makefile = (checkout / "Makefile").read_text()
    (taken,) = re.findall(r"\$\(foreach variable,([A-Z_ \\\n]+),", makefile)
    recipes = "".join(re.findall(r"^\t.*\n", makefile, re.MULTILINE))
    assert set(re.findall(r"\$\$\{([A-Z_]+)", recipes)) <= set(taken.replace("\\", " ").split())


@pytest.mark.parametrize("value", TRICKY_VALUES)
def test_a_value_reaches_the_command_as_it_was_typed(checkout: Path, value: str) -> None:
    assert _arguments(_make(checkout, "plan", f"ENV={value}")) == ["-m", "ops", "plan", "--env", value]
    assert not (checkout / "intruder").exists()


def test_each_variable_is_the_option_of_its_name(checkout: Path) -> None:
    given = {"ENV": "dev", "SERVICE": "web", "IMAGE": "oaktree/web@sha256:0", "COMMIT": "1a2b"}
    finished = _make(checkout, "release", *(f"{name}={value}" for name, value in given.items()))
    options = [word for name, value in given.items() for word in (f"--{name.lower()}", value)]
    assert _arguments(finished) == ["-m", "ops", "release", *options]


def test_an_apply_is_bound_to_the_verdict_that_is_named(checkout: Path) -> None:
    finished = _make(checkout, "apply", "ENV=dev", "STACK=network", "VERDICT=a verdict.json", SERVICE="web")
    options = ["--env", "dev", "--stack", "network", "--verdict", "a verdict.json"]
    assert _arguments(finished) == ["-m", "ops", "apply", *options]
    assert "--verdict" not in _arguments(_make(checkout, "apply", "STACK=foundation", VERDICT="verdict.json"))


def test_a_verdict_whose_name_is_empty_does_not_pass_for_none(checkout: Path) -> None:
    finished = _make(checkout, "apply", "STACK=foundation", "VERDICT=")
    assert _arguments(finished) == ["-m", "ops", "apply", "--stack", "foundation", "--verdict", ""]


@pytest.mark.parametrize("value", TRICKY_VALUES)
def test_a_directory_reaches_every_command_in_the_environment(checkout: Path, value: str) -> None:
    _program(checkout / ".venv/bin/python", PRINTS_DIRECTORY)
    assert _make(checkout, "plan", f"DIRECTORY={value}").stdout == f"{value}\n"
    assert _make(checkout, "plan", DIRECTORY=value).stdout == "\n"
    assert not (checkout / "intruder").exists()


def test_the_settings_of_a_directory_are_synthesized_into_it(checkout: Path) -> None:
    for name in ("stacks", "stacks/constructs", "webapp", "webapp/checks", "environments"):
        (checkout / name).mkdir()
    (checkout / "main.py").touch()
    there = ["--environments", "examples/shop/environments", "--outdir", "examples/shop/cdktf.out"]
    assert _arguments(_make(checkout, "synth", "DIRECTORY=examples/shop")) == ["-O", "main.py", *there]
    assert _make(checkout, "synth").stdout.splitlines()[0] == '["-O", "main.py"]'


@pytest.mark.parametrize("target", ["plan", "review", "apply", "destroy"])
def test_only_what_is_typed_chooses_the_stack(checkout: Path, target: str) -> None:
    finished = _make(checkout, target, "STACK=dev-network", ENV="prod", SERVICE="web")
    assert _arguments(finished) == ["-m", "ops", target, "--stack", "dev-network"]


def test_setup_with_nothing_to_do_is_silent(checkout: Path) -> None:
    finished = _make(checkout, "setup")
    assert (finished.returncode, finished.stdout, finished.stderr) == (0, "", "")


@pytest.mark.parametrize("lock", ["setup", "dev"])
def test_a_newer_lock_sets_up_again_before_any_command(checkout: Path, lock: str) -> None:
    os.utime(checkout / ".venv/.complete", (0, 0))
    os.utime(checkout / f"requirements/{lock}.txt", (1, 1))
    python = _program(checkout / "bare python", PRINTS_ARGUMENTS)
    finished = _make(checkout, "plan", f"PYTHON={python}")
    assert [json.loads(line)[1] for line in finished.stdout.splitlines()[-2:]] == ["ops.setup", "ops"]


@pytest.mark.parametrize("lost", [".venv/bin/python", ".venv/.complete"])
def test_a_broken_environment_is_set_up_again(checkout: Path, lost: str) -> None:
    (checkout / lost).unlink()
    (checkout / lost).symlink_to("gone")
    finished = _make(checkout, "setup", f"PYTHON={_program(checkout / 'bare', PRINTS_ARGUMENTS)}")
    assert json.loads(finished.stdout.splitlines()[-1]) == ["-m", "ops.setup"]


def test_a_terraform_that_is_too_old_is_replaced_by_setup(checkout: Path) -> None:
    (checkout / ".tools/terraform").unlink()
    for name in ("terraform", "tofu"):
        _program(checkout / "bin" / name, """#!/bin/sh\necho '{"terraform_version": "1.9.8"}'\n""")
    shutil.copy(ROOT / "ops/terraform/fetch.py", checkout / "ops/terraform")
    (checkout / ".venv/.complete").touch()
    _program(checkout / ".venv/bin/python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python = _program(checkout / "bare", PRINTS_ARGUMENTS)
    finished = _make(checkout, "setup", f"PYTHON={python}", PATH=f"{checkout / 'bin'}:{os.environ['PATH']}")
    assert json.loads(finished.stdout.splitlines()[-1]) == ["-m", "ops.setup"]


@pytest.mark.parametrize("python", ["no-such-python", "old python"])
def test_a_python_that_is_missing_or_too_old_is_named_with_what_is_needed(
    checkout: Path, python: str
) -> None:
    _program(checkout / "old python", "#!/bin/sh\nexit 1\n")
    (checkout / ".venv/.complete").unlink()
    finished = _make(checkout, "setup", f"PYTHON={python}", PATH=f"{checkout}:{os.environ['PATH']}")
    assert finished.returncode == 2
    message, *_ = finished.stderr.splitlines()
    assert message.startswith(f"setup: needs Python 3.11 or later, which none of these is: {python}. ")


def test_clean_keeps_the_environment_and_terraform_s_states(checkout: Path) -> None:
    made = ["cdktf.out/manifest.json", "stacks/__pycache__/x.pyc", ".ruff_cache/x", "tests/node_modules/x"]
    kept = [".oaktree/local/foundation/terraform.tfstate", ".venv/lib/__pycache__/x.pyc", "stacks/x.py"]
    for name in made + kept:
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        (checkout / name).touch()
    finished = _make(checkout, "clean")
    assert (
        finished.stdout == "clean: kept .oaktree, which may hold state; make down removes the embedded AWS\n"
    )
    assert [name for name in made + kept if (checkout / name).exists()] == kept
