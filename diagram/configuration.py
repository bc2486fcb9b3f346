"""Looks up resources in the Terraform JSON of several stacks by reference.

Source: Terraform's documentation, "JSON Configuration Syntax".
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

_ADDRESS: Final = re.compile(r"(?<![\w.-])(?:data\.)?[a-z][a-z0-9]*_\w+\.[A-Za-z_][\w-]*")
_LOCAL: Final = re.compile(r"(?<![\w.-])local\.([A-Za-z_][\w-]*)")
_OUTPUT: Final = re.compile(
    r"(?<![\w.-])data\.terraform_remote_state\.([A-Za-z_][\w-]*)\.outputs(?:\.([A-Za-z_][\w-]*)|\[\"([^\"]+)\"\])"
    r"(?:(?:\[|, *)\"([^\"]+)\")?"
)
"""An output of another stack, by name or quoted; and of a map its key, after `[` or in a `lookup`."""
_WHOLE: Final = re.compile(r"\$\{\s*([^{}]+?)\s*\}")
_ATTRIBUTE: Final = re.compile(r"((?:data\.)?[a-z][a-z0-9]*_\w+\.[A-Za-z_][\w-]*)\.(\w+)")
_START: Final = re.compile(r"(?<![$%])[$%]\{")
_NOT_VALUES: Final = frozenset({"//", "depends_on", "lifecycle", "provisioner", "provider"})
_MAX_DEPTH: Final = 4


class DiagramError(Exception):
    """There is nothing to draw; the text says why."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource or data source (`address` starts with `data.`) of a stack."""

    stack: str
    address: str
    body: Mapping[str, Any]

    @property
    def type(self) -> str:
        """Returns the type, such as `aws_lb`, also of a data source."""
        return self.address.removeprefix("data.").partition(".")[0]

    @property
    def key(self) -> str:
        """Returns what identifies it across stacks."""
        return f"{self.stack}/{self.address}"


class Configuration:
    """The stacks of an environment as one configuration; follows references between stacks."""

    def __init__(self, stacks: Mapping[str, Mapping[str, Any]]) -> None:
        self._stacks = {name: _checked(name, stacks[name]) for name in sorted(stacks)}
        self._resources = {
            (name, resource.address): resource
            for name, content in self._stacks.items()
            for resource in _resources(name, content)
        }
        self._by_type: dict[str, list[Resource]] = {}
        for _, resource in sorted(self._resources.items()):
            self._by_type.setdefault(resource.address.rpartition(".")[0], []).append(resource)

    def all(self, *types: str) -> list[Resource]:
        """Returns resources of these types, or data sources for `data.<type>`, in a stable order."""
        return [resource for each in types for resource in self._by_type.get(each, [])]

    def references(self, resource: Resource, *keys: str) -> list[Resource]:
        """Returns what a resource refers to, in these arguments or in all, in the order of the text."""
        values = [resource.body.get(key) for key in keys] if keys else [resource.body]
        return self.references_in(resource.stack, values)

    def references_in(self, stack: str, value: Any) -> list[Resource]:
        """Returns what a value within a stack refers to."""
        return list({each.key: each for each in self._references(stack, value, set())}.values())

    def refers(self, resource: Resource, keys: tuple[str, ...], target: Resource) -> bool:
        """Returns whether a resource refers to another in one of these arguments."""
        return any(each.key == target.key for each in self.references(resource, *keys))

    def text(self, stack: str, value: Any) -> str | None:
        """Returns a value that is known before an apply as text, else None."""
        if isinstance(value, bool) or value is None:
            return None
        if isinstance(value, int | float):
            return str(value)
        return self._text(stack, value, _MAX_DEPTH) if isinstance(value, str) else None

    def number(self, stack: str, value: Any) -> int | None:
        """Returns a whole number, also if it is written as text, else None."""
        text = self.text(stack, value)
        return int(text) if text is not None and re.fullmatch(r"[0-9]{1,9}", text) else None

    def _references(self, stack: str, value: Any, seen: set[tuple[str, str]]) -> Iterator[Resource]:
        for text in _texts(value):
            expression = " ".join(_expressions(text))
            for address in _ADDRESS.findall(expression):
                if found := self._resources.get((stack, address)):
                    yield found
            for name in _LOCAL.findall(expression):
                if (stack, name) not in seen:
                    seen.add((stack, name))
                    yield from self._references(stack, self._section(stack, "locals").get(name), seen)
            for state, name, quoted, key in _OUTPUT.findall(expression):
                other, output = self._stack_of(stack, state, name or quoted), name or quoted
                if other and (other, f"output.{output}.{key}") not in seen:
                    seen.add((other, f"output.{output}.{key}"))
                    found = self._section(other, "output").get(output)
                    values = [each.get("value") for each in blocks(found)]
                    yield from self._references(
                        other,
                        [each.get(key, each) if isinstance(each, dict) else each for each in values],
                        seen,
                    )

    def _text(self, stack: str, text: str, depth: int) -> str | None:
        if "${" not in text and "%{" not in text:
            return text
        if depth == 0 or "$${" in text:
            return None
        parts = []
        end = 0
        for found in _WHOLE.finditer(text):
            value = self._value(stack, found[1])
            if not isinstance(value, str) or (known := self._text(stack, value, depth - 1)) is None:
                return None
            parts += [text[end : found.start()], known]
            end = found.end()
        rest = text[end:]
        return None if "${" in rest or "%{" in rest else "".join([*parts, rest])

    def _value(self, stack: str, expression: str) -> Any:
        if found := _LOCAL.fullmatch(expression):
            return self._section(stack, "locals").get(found[1])
        if found := re.fullmatch(r"var\.([A-Za-z_][\w-]*)", expression):
            return next(iter(blocks(self._section(stack, "variable").get(found[1]))), {}).get("default")
        if (found := _ATTRIBUTE.fullmatch(expression)) and (
            resource := self._resources.get((stack, found[1]))
        ):
            return resource.body.get(found[2])
        return None

    def _stack_of(self, stack: str, state: str, output: str) -> str | None:
        """Finds the stack whose state a `terraform_remote_state` reads."""
        reader = self._resources.get((stack, f"data.terraform_remote_state.{state}"))
        config = next(iter(blocks(reader.body.get("config"))), {}) if reader else {}
        holders = [name for name in self._stacks if output in self._section(name, "output")]
        for name in holders:
            backends = next(iter(blocks(self._section(name, "terraform").get("backend"))), {})
            for backend in backends.values():
                for key in ("key", "path", "prefix"):
                    if isinstance(backend, dict) and config.get(key) and backend.get(key) == config[key]:
                        return name
        return holders[0] if len(holders) == 1 and holders[0] != stack else None

    def _section(self, stack: str, name: str) -> Mapping[str, Any]:
        merged: dict[str, Any] = {}
        for block in blocks(self._stacks[stack].get(name)):
            merged |= block
        return merged


def _expressions(text: str) -> Iterator[str]:
    """Yields what is inside `${...}`; `$${` is a literal."""
    for start in _START.finditer(text):
        depth, end = 1, start.end()
        while depth and end < len(text):
            depth += {"{": 1, "}": -1}.get(text[end], 0)
            end += 1
        yield text[start.end() : end]


def blocks(value: Any) -> list[Mapping[str, Any]]:
    """Returns the blocks of an argument: Terraform's JSON has one as an object, several as an array."""
    values = value if isinstance(value, list) else [value]
    return [each for each in values if isinstance(each, dict)]


def document(text: Any) -> Any:
    """Parses a JSON document in a string; None if it is not one."""
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None


def _checked(name: str, content: Any) -> Mapping[str, Any]:
    if not isinstance(content, dict):
        raise DiagramError(f"{name} is not Terraform JSON: it must be an object")
    if "resource_changes" in content or "planned_values" in content:
        raise DiagramError(f"{name} is a plan; the diagram takes the configuration, cdk.tf.json")
    if not {"terraform", "resource", "provider", "output", "module", "data"} & set(content):
        raise DiagramError(f"{name} is not Terraform JSON: it has no block such as `resource`")
    return content


def _resources(stack: str, content: Mapping[str, Any]) -> Iterator[Resource]:
    for section, prefix in (("resource", ""), ("data", "data.")):
        for types in blocks(content.get(section)):
            for kind, names in types.items():
                for named in blocks(names):
                    for name, body in named.items():
                        for block in blocks(body)[:1]:
                            yield Resource(stack, f"{prefix}{kind}.{name}", block)


def _texts(value: Any) -> Iterator[str]:
    """Yields all strings within a value, without recursion: the input may be nested deeply."""
    waiting = [value]
    while waiting:
        match waiting.pop():
            case str() as text:
                yield text
            case dict() as mapping:
                waiting += reversed([each for key, each in mapping.items() if key not in _NOT_VALUES])
            case list() as items:
                waiting += reversed(items)
