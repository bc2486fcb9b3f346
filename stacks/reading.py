"""Reading the settings files: what they say, or everything that is wrong with them."""

import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from stacks import rules, service_rules
from stacks.env_files import with_env_files
from stacks.problems import Key, Problem, SettingsError, problems_of, toml_problem
from stacks.service_settings import Service
from stacks.settings import Environment, Network, Platform, Project
from stacks.values import Table

__all__ = ["SettingsError", "is_shared", "merged", "read_platform"]

PROJECT: Final = "project"
"""Name, without its ending, of the file with what all environments share."""

SHARED: Final = Environment.model_fields.keys() - Project.model_fields.keys()
"""Tables of an environment that may also stand in `project.toml`, as defaults of every environment."""

_OTHER_ENDINGS: Final = (".toml", ".yaml", ".yml", ".json")
"""Endings, in lower case, of files that somebody may take for settings."""

M = TypeVar("M", bound=Table)
Content = Mapping[str, Any]
"""What a settings file says."""


def read_platform(directory: Path) -> Platform:
    """Read `project.toml` and every environment's file in a directory.

    Raises SettingsError with everything that is wrong in all of the files.
    """
    project, problems = None, list[Problem]()
    content = _content_of(directory / f"{PROJECT}.toml", problems)
    shared = {key: value for key, value in (content or {}).items() if key in SHARED}
    if content is not None:
        rest = {key: value for key, value in content.items() if key not in SHARED}
        project = _validated(rest, Project, {}, problems)
        problems += _shared_problems(shared)
    problems += _not_read(directory)
    found = [(PROJECT, problem) for problem in problems]
    files = sorted(path for path in directory.glob("*.toml") if path.stem != PROJECT)
    own: dict[str, Content] = {}
    environments: dict[str, Environment] = {}
    networks: dict[str, Network] = {}
    for file in files:
        name, problems = file.stem, []
        said = _content_of(file, problems)
        if said is not None:
            own[name] = said
            if network := _valid_part(said.get("network"), Network):
                networks[name] = network
            if content is None:  # Nobody knows what project.toml would add.
                problems += _form_problems(said)
            elif environment := _validated(
                with_env_files(merged(shared, said), directory, problems),
                Environment,
                {"name": name},
                problems,
            ):
                environments[name] = environment
                problems += (
                    _of_disabled(problem, environment, shared, said)
                    for problem in rules.environment_problems(environment, project)
                    if not _excepts_disabled(problem, merged(shared, said))
                )
        found += ((name, problem) for problem in problems)
    if project:
        of_all = len(environments) == len(files)
        platform = Platform(project=project, environments=environments)
        account_ids = platform.account_ids() if of_all else None
        found += ((PROJECT, problem) for problem in rules.project_problems(project, account_ids))
        found += ((PROJECT, problem) for problem in _release_problems(project, [file.stem for file in files]))
    if not files:
        problem = Problem((), None, "no environment: add a file such as dev.toml", str(directory))
        found.append((PROJECT, problem))
    found += (*rules.overlap_problems(networks), *rules.platform_problems(environments))
    found += rules.image_problems(
        environments,
        lambda name, key: f"{PROJECT if is_shared(key, shared, own[name]) else name}.toml",
    )
    if found or project is None:
        raise SettingsError(_in_files(directory, shared, own, found))
    inherited = {
        name: frozenset(key for key in _keys(shared) if is_shared(key, shared, said))
        for name, said in own.items()
    }
    return Platform(project=project, environments=environments, inherited=inherited)


def merged(shared: Content, own: Content) -> Content:
    """Returns what an environment's file says, and what `project.toml` says where that is silent.

    Tables merge key by key at every depth; any other value, a list too, is replaced.
    """
    both = {
        key: merged(shared[key], value)
        for key, value in own.items()
        if isinstance(value, Mapping) and isinstance(shared.get(key), Mapping)
    }
    return {**shared, **own, **both}


def is_shared(key: Key, shared: Content, own: Content) -> bool:
    """Returns whether what `merged` has at a key comes from `shared`.

    A key that neither has counts as in the innermost table around it; if both have that, as in `own`.
    """
    return _depth(key, shared) > _depth(key, own)


def _of_disabled(problem: Problem, environment: Environment, shared: Content, own: Content) -> Problem:
    """Returns a problem; one with a service that is disabled says so, and where that is set.

    The environment does not know its disabled services, so to it they do not exist.
    """
    if "uses" in problem.key:
        kind, _, name = str(problem.value).partition(":")[0].rpartition(".")
    elif problem.key[-1:] == ("same_image_as",):
        kind, name = "services", str(problem.value)
    else:
        return problem
    there = merged(shared, own).get(kind, {})
    if name not in there or name in getattr(environment, kind, {}):
        return problem
    key = (kind, name, "enabled")
    file = PROJECT if is_shared(key, shared, own) else environment.name
    return replace(
        problem,
        allowed=f"{name} is disabled ({file}.toml: {kind}.{name}.enabled = false); enable it, or disable "
        "what needs it, too",
    )


def _excepts_disabled(problem: Problem, there: Content) -> bool:
    """Whether a problem is that `alarms.exceptions` names what is disabled: project.toml may, for others."""
    match problem.key:
        case ("alarms", "exceptions", name):
            kind, _, key = f"services.{name}".rpartition(".")
            return key in there.get(kind.rpartition(".")[2], {})
    return False


def _keys(content: Content) -> Iterator[tuple[str, ...]]:
    """Yields every key, those of tables too."""
    for key, value in content.items():
        yield (key,)
        for inner in _keys(value) if isinstance(value, Mapping) else ():
            yield (key, *inner)


def _depth(key: Key, content: Any) -> int:
    """Counts the parts of a key, from the first on, that lead to something."""
    for depth, part in enumerate(key):
        try:
            content = content[part]
        except (KeyError, IndexError, TypeError):
            return depth
    return len(key)


def _in_files(
    directory: Path, shared: Content, own: Mapping[str, Content], found: Iterable[tuple[str, Problem]]
) -> Iterator[Problem]:
    """Yields each problem once, however many environments have it, with the file that sets the value.

    `found` has each with the name of its environment, or PROJECT. If only some environments have a
    problem with `project.toml`, it names them.
    """
    project_file = str(directory / f"{PROJECT}.toml")
    told: dict[str, tuple[Problem, list[str]]] = {}
    for name, problem in found:
        by_default = not problem.missing and is_shared(problem.key, shared, own.get(name, {}))
        file = project_file if by_default else str(directory / f"{name}.toml")
        placed = replace(problem, file=problem.file or file)
        told.setdefault(str(placed), (placed, []))[1].append(name)
    for problem, names in told.values():
        somewhere = problem.file == project_file and PROJECT not in names and own.keys() - names
        yield replace(problem, allowed=f"{problem.allowed} (in {', '.join(names)})") if somewhere else problem


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


def _validated(content: Content, model: type[M], given: dict[str, str], problems: list[Problem]) -> M | None:
    """Settings as a model; None, with the reasons added to `problems`, when they cannot be used."""
    problems += (
        Problem((key,), content[key], "comes from the file's name") for key in given.keys() & content
    )
    try:
        return model.model_validate({**content, **given})
    except ValidationError as error:
        problems += problems_of(error, model, hidden=given, more=SHARED if model is Project else ())
        problems += _rules_of_valid_parts(content)
        return None


def _form_problems(content: Content) -> Iterator[Problem]:
    """Yields what is wrong with each value of a file, whatever the other file adds to them."""
    given = {"name": "name"}
    try:
        Environment.model_validate({**content, **given})
    except ValidationError as error:
        yield from (each for each in problems_of(error, Environment, hidden=given) if not each.missing)


def _shared_problems(shared: Content) -> Iterator[Problem]:
    """Yields what is wrong with tables of `project.toml`, whatever an environment's file adds to them."""
    yield from _form_problems(shared)
    network = shared.get("network")
    if isinstance(network, Mapping) and "cidr" in network:
        yield Problem(
            ("network", "cidr"),
            network["cidr"],
            "each environment needs its own addresses; move it to the environments' files",
        )


def _release_problems(project: Project, known: Sequence[str]) -> Iterator[Problem]:
    """Yields each name in `releases` that is not an environment's."""
    for name in project.releases:
        if name not in known:
            yield Problem(("releases",), name, f"an environment: {', '.join(known)}")


def _valid_part(content: object, model: type[M]) -> M | None:
    try:
        return model.model_validate(content)
    except ValidationError:
        return None


def _rules_of_valid_parts(content: Content) -> Iterator[Problem]:
    """The rules of those tables that could be read, when others could not."""
    yield from _rules_of(content.get("network"), Network, rules.network_problems, ("network",))
    services = content.get("services")
    for name, service in services.items() if isinstance(services, dict) else ():
        yield from _rules_of(service, Service, service_rules.service_problems, ("services", name))


def _rules_of(
    content: object, model: type[M], check: Callable[[M], Iterator[Problem]], key: tuple[str, ...]
) -> Iterator[Problem]:
    if table := _valid_part(content, model):
        for problem in check(table):
            yield problem.under(*key)
