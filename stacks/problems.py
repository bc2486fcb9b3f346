"""What is wrong with a settings file, said so that a person can mend it."""

import difflib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]


@dataclass(frozen=True)
class Problem:
    """One fault: the key it is under, the value found (None: nothing was there), and what is allowed."""

    key: Key
    value: object
    allowed: str
    file: str = ""

    def under(self, *prefix: str | int) -> "Problem":
        """The same problem, seen from a table further out."""
        return replace(self, key=(*prefix, *self.key))

    def __str__(self) -> str:
        key = ".".join(str(part) for part in self.key)
        found = "" if self.value is None else f" = {_as_toml(self.value)}"
        where = f"{key}{found}: " if key else ""
        return f"{self.file}: {where}{self.allowed}"


class UnknownBindingsError(Exception):
    """The installed jsii or provider package is not as `stacks/jsii_loading.py` relies on."""


class QuotaError(Exception):
    """What the settings ask for is more than AWS allows; the text says what, how much, and the limit."""


class SettingsError(Exception):
    """The settings cannot be used; `problems` are all that was found in all files, in a fixed order."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def problems_of(
    error: ValidationError, model: type[BaseModel], hidden: Collection[str] = ()
) -> Iterator[Problem]:
    """The faults that pydantic found in a table that `model` describes.

    `hidden` are fields that are no keys of the file. What stands where a reference to a secret is
    expected may be the secret itself: it is never repeated.
    """
    for details in error.errors(include_url=False):
        problem = _problem(details, model, hidden)
        yield replace(problem, value=None) if "secrets" in problem.key else problem


def nearest(word: str, known: Iterable[str]) -> str:
    """Words for a person about an unknown name: the likeliest one meant, and all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.5)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known here: {', '.join(names)}" if names else "nothing is allowed here"


def _problem(details: ErrorDetails, model: type[BaseModel], hidden: Collection[str]) -> Problem:
    # pydantic marks the key of a map with a part of its own, which is no part of the file.
    key = tuple(part for part in details["loc"] if part != "[key]")
    match details["type"]:
        case "extra_forbidden":
            known = set(_fields_at(model, key[:-1])) - set(hidden)
            return Problem(key, None, f"unknown key; {nearest(str(key[-1]), known)}")
        case "missing":
            return Problem(key, None, f"is required: {_description_at(model, key)}")
        case "value_error":
            return Problem(key, details["input"], str(details.get("ctx", {}).get("error", details["msg"])))
    message = details["msg"]
    return Problem(key, details["input"], message[:1].lower() + message[1:])


def _model_at(model: type[BaseModel], key: Key) -> type[BaseModel] | None:
    current: Any = model
    for part in key:
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = current.model_fields.get(str(part))
            current = field.annotation if field else None
        elif (arguments := get_args(current)) and len(arguments) == 2:
            current = arguments[1]
        else:
            return None
    return current if isinstance(current, type) and issubclass(current, BaseModel) else None


def _fields_at(model: type[BaseModel], key: Key) -> Iterable[str]:
    found = _model_at(model, key)
    return found.model_fields if found else ()


def _description_at(model: type[BaseModel], key: Key) -> str:
    found = _model_at(model, key[:-1])
    field = found.model_fields.get(str(key[-1])) if found else None
    return (field.description if field else None) or "a value"


def _as_toml(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case Mapping():
            return "{" + ", ".join(f"{key} = {_as_toml(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            return "[" + ", ".join(_as_toml(item) for item in value) + "]"
    return str(value)
