"""Plain variables that stand in files beside the settings.

A file has `NAME=value` on each line. Source of the form: python-dotenv, "File format"; nothing in a value
is replaced by another variable.
"""

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from typing import Any, Final

from dotenv.parser import parse_stream
from pydantic import TypeAdapter, ValidationError

from stacks.problems import Problem
from stacks.values import VariableName

Content = Mapping[str, Any]

_NAME: Final[TypeAdapter[str]] = TypeAdapter(VariableName)


def with_env_files(content: Content, directory: Path, problems: list[Problem]) -> Content:
    """Returns an environment's settings with the variables of the files that its services name.

    What stands in the settings wins. A file that cannot be used is added to `problems`.
    """
    services = content.get("services")
    if not isinstance(services, Mapping):
        return content
    read = {
        name: _with_sidecars(service, directory, problems, ("services", name))
        for name, service in services.items()
    }
    return {**content, "services": read}


def _with_sidecars(service: Any, directory: Path, problems: list[Problem], key: tuple[str, ...]) -> Any:
    if not isinstance(service, Mapping):
        return service
    own = _with_file(service, directory, problems, key)
    sidecars = own.get("sidecars")
    if not isinstance(sidecars, Mapping):
        return own
    read = {
        name: _with_file(sidecar, directory, problems, (*key, "sidecars", name))
        if isinstance(sidecar, Mapping)
        else sidecar
        for name, sidecar in sidecars.items()
    }
    return {**own, "sidecars": read}


def _with_file(container: Content, directory: Path, problems: list[Problem], key: tuple[str, ...]) -> Content:
    name, own = container.get("env_file"), container.get("environment", {})
    if not isinstance(name, str) or not isinstance(own, Mapping):
        return container
    try:
        text = (directory / name).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        problems.append(Problem((*key, "env_file"), name, f"cannot be read: {reason}"))
        return container
    values: dict[str, str] = {}
    for binding in parse_stream(StringIO(text)):
        line = binding.original.line
        if binding.error or (binding.key and binding.value is None):
            allowed = f"a file with NAME=value on each line, which line {line} has not"
            problems.append(Problem((*key, "env_file"), name, allowed))
        elif binding.key and binding.key not in own:
            if reason := _refusal(binding.key, binding.value or "", container.get("secrets")):
                told = f"line {line}: {binding.key}: {reason}"
                problems.append(Problem((*key, "env_file"), name, told))
            else:
                values[binding.key] = binding.value or ""
    return {**container, "environment": {**values, **own}}


def _refusal(name: str, value: str, secrets: object) -> str:
    """Returns what is wrong with a variable of a file, or an empty string.

    The same faults of `environment` are found later, but then nobody knows the line any more.
    """
    try:
        _NAME.validate_python(name)
    except ValidationError as error:
        return str(error.errors()[0]["ctx"]["error"])
    if not value:
        return "not empty: AWS drops such a variable, and every plan would set it again"
    if isinstance(secrets, Mapping) and name in secrets:
        return "leave it out: a secret gives the container this variable"
    return ""
