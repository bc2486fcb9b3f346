"""Reading the settings files: what they say, or everything that is wrong with them."""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from stacks import rules
from stacks.problems import Problem, SettingsError, problems_of, toml_problem
from stacks.settings import Environment, Network, Platform, Project, Service, Table

__all__ = ["SettingsError", "read_platform"]

PROJECT_FILE: Final = "project.toml"
_OTHER_ENDINGS: Final = (".toml", ".yaml", ".yml", ".json")
"""Endings, in lower case, of files that somebody may take for settings."""

M = TypeVar("M", bound=Table)


def read_platform(directory: Path) -> Platform:
    """Read `project.toml` and every environment's file in a directory.

    Raises SettingsError with everything that is wrong in all of the files.
    """
    problems: list[Problem] = []
    project_file = directory / PROJECT_FILE
    project = _validated(project_file, _content_of(project_file, problems), Project, {}, problems)
    files = sorted(path for path in directory.glob("*.toml") if path.name != PROJECT_FILE)
    problems += _not_read(directory)
    environments: dict[str, Environment] = {}
    networks: dict[str, Network] = {}
    for file in files:
        content = _content_of(file, problems)
        if network := _valid_part((content or {}).get("network"), Network):
            networks[file.stem] = network
        environment = _validated(file, content, Environment, {"name": file.stem}, problems)
        if environment:
            environments[file.stem] = environment
            problems += _in_file(file, rules.environment_problems(environment, project))
    if project:
        of_all = len(environments) == len(files)
        platform = Platform(project=project, environments=environments)
        account_ids = platform.account_ids() if of_all else None
        problems += _in_file(project_file, rules.project_problems(project, account_ids))
    if not files:
        problems.append(Problem((), None, "no environment: add a file such as dev.toml", str(directory)))
    for name, problem in (*rules.overlap_problems(networks), *rules.platform_problems(environments)):
        problems += _in_file(directory / f"{name}.toml", [problem])
    if problems or project is None:
        raise SettingsError(problems)
    return Platform(project=project, environments=environments)


def _not_read(directory: Path) -> Iterator[Problem]:
    """The files that are no settings files because of their ending alone."""
    for file in sorted(directory.glob("*")):
        if file.suffix.lower() in _OTHER_ENDINGS and file.suffix != ".toml":
            yield Problem((), None, f"is not read: settings are TOML, in {file.stem}.toml", str(file))


def _content_of(file: Path, problems: list[Problem]) -> dict[str, Any] | None:
    """What a file says; None, with the reason added to `problems`, when it cannot be read."""
    text = ""
    try:
        # Some editors begin UTF-8 with a byte order mark, which is no part of the text.
        text = file.read_text(encoding="utf-8-sig")
        return tomllib.loads(text)
    except OSError as error:
        reason = f"cannot be read: {error.strerror or error}"
    except UnicodeDecodeError:
        reason = "is not UTF-8 text; save it in that encoding"
    except tomllib.TOMLDecodeError as error:
        reason = toml_problem(error, text)
    problems.append(Problem((), None, reason, str(file)))
    return None


def _validated(
    file: Path, content: dict[str, Any] | None, model: type[M], given: dict[str, str], problems: list[Problem]
) -> M | None:
    """What a file says as a model; None, with the reasons added to `problems`, when it cannot be used."""
    if content is None:
        return None
    for key in given.keys() & content:
        problems += _in_file(file, [Problem((key,), content[key], "comes from the file's name")])
    try:
        return model.model_validate(content | given)
    except ValidationError as error:
        problems += _in_file(file, problems_of(error, model, given))
        problems += _in_file(file, _rules_of_valid_parts(content))
        return None


def _valid_part(content: object, model: type[M]) -> M | None:
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _rules_of_valid_parts(content: dict[str, Any]) -> Iterator[Problem]:
    """The rules of those tables that could be read, when others could not."""
    yield from _rules_of(content.get("network"), Network, rules.network_problems, ("network",))
    services = content.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        yield from _rules_of(service, Service, rules.service_problems, ("services", name))


def _rules_of(
    content: object, model: type[M], check: Callable[[M], Iterator[Problem]], key: tuple[str, ...]
) -> Iterator[Problem]:
    if table := _valid_part(content, model):
        for problem in check(table):
            yield problem.under(*key)


def _in_file(file: Path, problems: Iterable[Problem]) -> list[Problem]:
    return [replace(problem, file=str(file)) for problem in problems]
