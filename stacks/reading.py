"""Reading the settings files: what they say, or everything that is wrong with them."""

import tomllib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from stacks import rules
from stacks.problems import Problem, SettingsError, problems_of
from stacks.settings import Environment, Network, Platform, Project, Service, Table

__all__ = ["SettingsError", "read_platform"]

PROJECT_FILE: Final = "project.toml"

M = TypeVar("M", bound=Table)


def read_platform(directory: Path) -> Platform:
    """Read `project.toml` and every environment's file in a directory.

    Raises SettingsError with everything that is wrong in all of the files.
    """
    project_file = directory / PROJECT_FILE
    files = sorted(path for path in directory.glob("*.toml") if path.name != PROJECT_FILE)
    problems: list[Problem] = []
    project = _read(project_file, Project, {}, problems)
    environments: dict[str, Environment] = {}
    for file in files:
        environment = _read(file, Environment, {"name": file.stem}, problems)
        if environment:
            environments[file.stem] = environment
            problems += _in_file(file, rules.environment_problems(environment, project))
    if not files:
        problems.append(Problem((), None, "no environment: add a file such as dev.toml", str(directory)))
    networks = {file.stem: network for file in files if (network := _network_of(file))}
    for name, problem in (*rules.overlap_problems(networks), *rules.platform_problems(environments)):
        problems += _in_file(directory / f"{name}.toml", [problem])
    if problems or project is None:
        raise SettingsError(problems)
    return Platform(project=project, environments=environments)


def _read(file: Path, model: type[M], given: dict[str, str], problems: list[Problem]) -> M | None:
    """Read one file into a model; None, with the reasons added to `problems`, when it cannot be used."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        problems.append(Problem((), None, f"cannot be read: {error.strerror or error}", str(file)))
        return None
    except UnicodeDecodeError:
        problems.append(Problem((), None, "is not UTF-8 text", str(file)))
        return None
    except tomllib.TOMLDecodeError as error:
        problems.append(Problem((), None, f"is not TOML: {error}", str(file)))
        return None
    problems += _in_file(
        file,
        (Problem((key,), content.pop(key), "comes from the file's name") for key in given.keys() & content),
    )
    try:
        return model.model_validate(content | given)
    except ValidationError as error:
        problems += _in_file(file, problems_of(error, model, given))
        problems += _in_file(file, _rules_of_valid_parts(content))
        return None


def _network_of(file: Path) -> Network | None:
    """The network of a file, if that much of it can be used."""
    try:
        return Network.model_validate(tomllib.loads(file.read_text(encoding="utf-8")).get("network"))
    except (OSError, ValueError):
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
    try:
        table = model.model_validate(content)
    except ValidationError:
        return
    for problem in check(table):
        yield problem.under(*key)


def _in_file(file: Path, problems: Iterable[Problem]) -> list[Problem]:
    return [Problem(problem.key, problem.value, problem.allowed, str(file)) for problem in problems]
