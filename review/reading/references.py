"""Follows what attributes refer to, by the configuration in a plan: through variables and outputs of modules.

Source: Terraform's documentation, "JSON Output Format", expression representation. It contains no locals.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from review.model import Path
from review.reading.structure import bare, indices_of, modules_in, object_in, objects_in, text_in

_RESOURCE: Final = re.compile(r"(?:data\.)?[A-Za-z][\w-]*\.[\w-]+")
_ASIDE: Final = ("count.", "each.key", "path.", "self.", "terraform.")
"""References that lead to no resource."""

_DEPTH: Final = 32
"""Modules and variables that a value passes; more is no plan of Terraform's."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The resources and data sources that a value comes from, by address.

    Of several instances, it is that of the same index, or may be each of them. `complete` says whether that
    is all of it: a plan does not say what a local is.
    """

    targets: tuple[str, ...]
    complete: bool


class References:
    """The references in a plan's configuration. Raises PlanError if that is not built like one."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._modules: dict[str, Mapping[str, Any]] = {}
        self._calls: dict[str, Mapping[str, Any]] = {}
        self._resources: dict[str, tuple[str, Mapping[str, Any]]] = {}
        self._instances: dict[str, list[str]] = {}
        for place, item in objects_in(document, "resource_changes"):
            address = text_in(item, "address", place)
            self._instances.setdefault(bare(address), []).append(address)
        for prefix, call, module in modules_in(document):
            self._modules[prefix] = module
            self._calls[prefix] = call
            for place, resource in objects_in(module, "resources", "configuration"):
                self._resources[prefix + text_in(resource, "address", place)] = prefix, resource

    def of(self, address: str, path: Path) -> Followed:
        """Follows the attribute at a path of a resource."""
        prefix, resource = self._resources.get(bare(address), ("", {}))
        expression: Any = resource.get("expressions")
        for key in path:
            if isinstance(expression, Mapping) and isinstance(key, str):
                expression = expression.get(key)
            elif isinstance(expression, list) and isinstance(key, int) and key < len(expression):
                expression = expression[key]
            else:
                expression = None
        if expression is None:
            return Followed((), complete=False)
        found = set(self._followed(prefix, expression, resource.get("for_each_expression"), _DEPTH))
        targets = {each for target in found - {""} for each in self._of_index(target, address)}
        return Followed(tuple(sorted(targets)), complete="" not in found)

    def _of_index(self, target: str, address: str) -> list[str]:
        instances = self._instances.get(target, [target])
        index = indices_of(address)
        return [each for each in instances if indices_of(each) == index] or instances

    def _followed(self, prefix: str, expression: Any, each: Any, depth: int) -> Iterator[str]:
        """Yields addresses, and "" for each reference that cannot be followed."""
        for reference in _references(expression):
            name = bare(reference)
            first, _, rest = name.partition(".")
            if not depth or first == "local":
                yield ""
            elif name == "each.value":
                yield from self._followed(prefix, each, None, depth - 1)
            elif name.startswith(_ASIDE) or (first == "module" and "." not in rest):
                continue
            elif first == "var":
                yield from self._variable(prefix, rest.split(".")[0], depth)
            elif first == "module":
                module, name = rest.split(".")[:2]
                yield from self._output(prefix, module, name, depth)
            elif match := _RESOURCE.match(name):
                yield prefix + match[0]

    def _variable(self, prefix: str, name: str, depth: int) -> Iterator[str]:
        if not prefix:
            return
        outer = prefix.removesuffix(".").rpartition("module.")[0]
        given = object_in(self._calls[prefix].get("expressions"), "expressions")
        each = self._calls[prefix].get("for_each_expression")
        yield from self._followed(outer, given.get(name), each, depth - 1)

    def _output(self, prefix: str, module: str, name: str, depth: int) -> Iterator[str]:
        inner = f"{prefix}module.{module}."
        outputs = object_in(self._modules.get(inner, {}).get("outputs"), "outputs")
        output = outputs.get(name)
        if not isinstance(output, Mapping):
            yield ""
            return
        yield from self._followed(inner, output.get("expression"), None, depth - 1)


def _references(expression: Any) -> Iterator[str]:
    """Yields all references within an expression, or within the blocks of one."""
    if isinstance(expression, Mapping):
        for key, value in expression.items():
            if key == "references" and isinstance(value, list):
                yield from (each for each in value if isinstance(each, str))
            elif key != "constant_value":
                yield from _references(value)
    elif isinstance(expression, list):
        for each in expression:
            yield from _references(each)
