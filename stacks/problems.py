"""What is wrong with a settings file, said so that a person can mend it."""

import difflib
import re
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

Key = tuple[str | int, ...]

_TYPES: Final = {
    "string_type": "be text in quotes",
    "int_type": "be a whole number, without quotes",
    "float_type": "be a number, without quotes",
    "bool_type": "be true or false, without quotes",
    "tuple_type": "be a list in brackets",
    "dict_type": "be a table",
    "mapping_type": "be a table",
    "model_type": "be a table",
    "literal_error": "be {expected}",
    "greater_than_equal": "be at least {ge}",
    "less_than_equal": "be at most {le}",
    "too_short": "have at least {min_length} {counted}",
    "too_long": "have at most {max_length} {counted}",
    "string_too_short": "have at least {min_length} {counted}",
    "string_too_long": "have at most {max_length} {counted}",
}
"""What a value must be or have, by pydantic's type of error.

Source: pydantic's documentation, "Validation Errors".
"""

_TOML: Final = {
    "Cannot overwrite a value": "the key {key} is there already, in the same table",
    "Duplicate inline table key": "a key of this table is there already",
    "Cannot declare": "this table is there already",
    "Cannot mutate immutable namespace": "this table is complete above; write its keys there",
    "Cannot redefine namespace": "this table is there already",
    "Cannot include table element": "this name is a table or a value already",
    "Invalid statement": 'a key with a value, such as owner = "team", or a table in brackets must be here',
    "Invalid initial character for a key part": "a key has letters, digits, - and _, or stands in quotes",
    "Invalid value": "a value must be here; text stands in quotes",
    "Expected '=' after a key": "a key needs = and a value",
    "Expected newline or end of document": "the line must end here; text stands in quotes",
    "Expected ']' at the end of a table declaration": "the table's name must end in ]",
    "Expected ']]' at the end of an array declaration": "the name must end in ]]",
    "Unclosed array": "the list must end in ], with commas between its values",
    "Unclosed inline table": "the table must end in }}, with commas between its keys",
    "Unterminated string": "the text must end in a quote",
    "Expected": "the text must end in a quote",
    "Illegal character": "this character must not be here; text stands in quotes on one line",
    "Unescaped": "a backslash must be written twice, or the text stand in single quotes",
    "Invalid hex value": "a backslash must be written twice, or the text stand in single quotes",
    "Escaped character is not a Unicode scalar value": "this character does not exist",
    "Invalid date or datetime": "this date does not exist",
}
"""What is wrong with a file that is not TOML, by how the message of Python's `tomllib` begins."""

_PLACE: Final = re.compile(r"(.*) \(at (?:line (\d+), column \d+|end of document)\)", re.DOTALL)

_KEY: Final = re.compile(r"\s*([\w.-]+)\s*=")


@dataclass(frozen=True)
class Problem:
    """One fault: the key it is under, the value found (None: nothing was there), and what is allowed."""

    key: Key
    value: object
    allowed: str
    file: str = ""
    missing: bool = False
    """Whether it is that a required key is not there."""

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
    error: ValidationError,
    model: type[BaseModel],
    hidden: Collection[str] = (),
    more: Collection[str] = (),
) -> Iterator[Problem]:
    """The faults that pydantic found in a table that `model` describes.

    `hidden` are fields that are no keys of the file, `more` keys of the file that are no fields. What
    stands where a reference to a secret is expected may be the secret itself: it is never repeated.
    """
    found = error.errors(include_url=False)
    for details in found:
        # A list that lost its wrong values on the way is then too short, which nobody needs to know.
        depth = len(details["loc"])
        if details["type"] == "too_short" and any(
            len(other["loc"]) > depth and other["loc"][:depth] == details["loc"] for other in found
        ):
            continue
        problem = _problem(details, model, hidden, more)
        yield replace(problem, value=None) if "secrets" in problem.key else problem


def toml_problem(error: tomllib.TOMLDecodeError, text: str) -> str:
    """Words for what makes a file no TOML, with the line; repeats no value, which may be a secret."""
    match = _PLACE.fullmatch(str(error))
    message, line = (match[1], match[2]) if match else (str(error), None)
    shown = _KEY.match(text.split("\n")[int(line) - 1]) if line else None
    words = next((words for begin, words in _TOML.items() if message.startswith(begin)), None)
    where = f"line {line}" if line else "the end"
    return f"is not TOML: {where}: {words.format(key=shown[1] if shown else 'here') if words else message}"


def nearest(word: str, known: Iterable[str]) -> str:
    """Words for a person about an unknown name: the likeliest one meant, and all there are."""
    names = sorted(known)
    close = difflib.get_close_matches(word, names, n=1, cutoff=0.7)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}known here: {', '.join(names)}" if names else "nothing is allowed here"


def _problem(
    details: ErrorDetails, model: type[BaseModel], hidden: Collection[str], more: Collection[str]
) -> Problem:
    # pydantic marks the key of a map with a part of its own, which is no part of the file.
    key = tuple(part for part in details["loc"] if part != "[key]")
    match details["type"]:
        case "extra_forbidden":
            known = set(_fields_at(model, key[:-1])) - set(hidden) | set(more)
            return Problem(key, None, f"unknown key; {nearest(str(key[-1]), known)}")
        case "missing":
            return Problem(key, None, f"is required: {_description_at(model, key)}", missing=True)
        case "value_error":
            value = None if "[key]" in details["loc"] else details["input"]
            return Problem(key, value, str(details.get("ctx", {}).get("error", details["msg"])))
        case kind if kind in _TYPES:
            value = None if "[key]" in details["loc"] else details["input"]
            return Problem(key, value, f"must {_allowed(details, key)}")
    message = details["msg"]
    return Problem(key, details["input"], message[:1].lower() + message[1:])


def _allowed(details: ErrorDetails, key: Key) -> str:
    """What must stand at a key, with the value as it should be written where that is plain."""
    kind, value, limits = details["type"], details["input"], details.get("ctx", {})
    one = "character" if isinstance(value, str) else "key" if isinstance(value, dict) else "value"
    counted = one if limits.get("min_length", limits.get("max_length")) == 1 else f"{one}s"
    words = _TYPES[kind].format(**limits, counted=counted).replace("'", '"')
    written = ""
    if words.endswith("a table") and all(isinstance(part, str) for part in key):
        written = f"[{'.'.join(map(str, key))}]"
    elif kind == "string_type" and not isinstance(value, list | dict) and "secrets" not in key:
        written = f'"{_as_toml(value)}"'
    elif kind == "int_type" and isinstance(value, str) and value.isdecimal():
        written = value
    elif kind == "tuple_type" and isinstance(value, str):
        written = f"[{_as_toml(value)}]"
    return f"{words}: {written}" if written else words


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
