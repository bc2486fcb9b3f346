"""Reads files of plans as stacks: each with its plan, or with the reason why it has none."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from review.model import Plan, Stack
from review.reading.documents import JsonDocument, documents_in
from review.reading.plans import plan_of
from review.reading.secret_detection import redact
from review.reading.structure import PlanError
from review.reading.waiting import waits_by_checks, waits_by_errors

KINDS: Final = ("network", "data", "service")
"""The suffixes of an environment's stacks: `dev-network`, `dev-data`, `dev-service`."""

PLANNING_FAILED: Final = "planning failed"
NOT_PLANNED: Final = "there is no plan: the stack was expected, but has no file"
COLOUR: Final = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
WORKSPACE: Final = re.compile(
    r"/(?:home/runner/work|__w|builds)/[^/\s]+/[^/\s]+/|/home/vsts/work/\d+/s/|D:\\a\\[^\\\s]+\\[^\\\s]+\\"
)
"""Where runners of GitHub, GitLab and Azure DevOps check out the code: of no use to who reads the errors."""

NUMBER: Final = re.compile(r"#([0-9]+)\Z", re.ASCII)


def read_stacks(files: Sequence[Path], expected: Sequence[str] = ()) -> tuple[Stack, ...]:
    """Reads the stacks of these files and folders, sorted by environment and name. Never raises for content.

    `<stack>.json` is the stack's plan, `<stack>.error` next to it is Terraform's output when planning
    failed; either may be missing. In a folder, it reads these files. Several plans in one file are
    `<stack>`, `<stack>#2` and so on. An expected stack without any file is `missing`.

    A plan's `sha256` is that of the bytes from its first `{` to its last `}`, without what stands around
    it, so also without the newline at the end that `terraform show -json` writes.
    """
    found: dict[str, list[Stack]] = {}
    for file in plan_files(files):
        found.setdefault(file.stem, []).extend(_stacks_of(file))
    stacks = [
        stack if number == 1 else replace(stack, name=f"{stack.name}#{number}")
        for group in found.values()
        for number, stack in enumerate(group, start=1)
    ]
    stacks += [
        Stack(name, environment_of(name), None, NOT_PLANNED, missing=True)
        for name in dict.fromkeys(expected)
        if name not in found
    ]
    return tuple(sorted(stacks, key=_order))


def has_bad_input(stacks: Iterable[Stack]) -> bool:
    """Returns whether something could not be read, which makes exit status 2.

    Failed and missing plans do not count.
    """
    return any(
        stack.problem is not None and stack.problem != PLANNING_FAILED and not stack.missing
        for stack in stacks
    )


def environment_of(stack: str) -> str:
    """Returns a stack's environment: `dev` for `dev-service`; its own name for one outside of any."""
    name = without_number(stack)
    environment, _, kind = name.rpartition("-")
    return environment if environment and kind in KINDS else name


def without_number(stack: str) -> str:
    """Returns the name of a stack's file: `dev-service` for `dev-service#2`."""
    return NUMBER.sub("", stack)


def plan_files(files: Sequence[Path]) -> list[Path]:
    """Returns each stack's `.json`, whether it exists or not, in the order given, once."""
    found: dict[Path, None] = {}
    for file in files:
        if file.is_dir():
            within = sorted(path for path in file.iterdir() if path.suffix in {".json", ".error"})
            found |= dict.fromkeys(_plan_file(path) for path in within)
            if not within:
                found[file] = None
        else:
            found[_plan_file(file)] = None
    return list(found)


def _plan_file(path: Path) -> Path:
    return path.with_suffix(".json") if path.suffix == ".error" else path


def _stacks_of(file: Path) -> list[Stack]:
    environment = environment_of(file.stem)
    said, problem = _errors(file.with_suffix(".error"))
    waits = waits_by_errors(file.stem, said or "")
    errors = "" if waits else said or ""
    raw: bytes | None = None
    if file.is_dir():
        problem = problem or f"{file.name} holds neither plans (*.json) nor errors (*.error)"
    else:
        try:
            raw = file.read_bytes()
        except FileNotFoundError:
            problem = problem or (f"{file.name} does not exist" if said is None else None)
        except OSError as error:
            problem = problem or f"{file.name} cannot be read: {error.strerror or error}"
    # When planning fails, a redirection leaves an empty file.
    if raw is None or (said and not raw.strip()):
        problem = problem or (None if waits else PLANNING_FAILED)
        return [Stack(file.stem, environment, None, problem, errors, waits=waits)]
    documents, notes = documents_in(raw)
    stacks = []
    for document in documents:
        plan, reason = _plan(document)
        words = f"{file.name} {reason}" if reason else problem
        if plan:
            missing, others = waits_by_checks(plan.failed_checks)
            plan, waits = replace(plan, failed_checks=others), (*waits, *missing)
        stacks.append(Stack(file.stem, environment, plan, words, errors, notes=notes, waits=waits))
        errors, notes, waits = "", (), ()
    return stacks


def _plan(document: JsonDocument) -> tuple[Plan | None, str | None]:
    if document.content is None:
        return None, document.problem
    try:
        return plan_of(document.content, document.sha256), None
    except PlanError as error:
        return None, str(error) if str(error).startswith(
            ("is ", "has ")
        ) else f"is not built like a plan: {error}"
    except RecursionError:
        return None, "is nested too deep to be a plan"


def _errors(file: Path) -> tuple[str | None, str | None]:
    """Returns Terraform's output, safe to show (None without a file), and why it cannot be read."""
    try:
        text = file.read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return None, None
    except OSError as error:
        return None, f"{file.name} cannot be read: {error.strerror or error}"
    return redact(WORKSPACE.sub("", COLOUR.sub("", text)).strip()), None


def _order(stack: Stack) -> tuple[str, str, int]:
    number = NUMBER.search(stack.name)
    return stack.environment, without_number(stack.name), int(number[1]) if number else 1
