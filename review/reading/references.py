"""Follows what attributes refer to, by the configuration in a plan: through variables and outputs of modules.

Source: Terraform's documentation, "JSON Output Format", expression representation. It contains no locals.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from review.model import Path
from review.reading.entries import Entry
from review.reading.structure import INDEX, bare, configured_in, indices_of, modules_in, object_in

_RESOURCE: Final = re.compile(rf"(?:data\.)?[A-Za-z][\w-]*\.[\w-]+(?:{INDEX})?")
_OUTPUT: Final = re.compile(rf"module\.([\w-]+)({INDEX})?\.([\w-]+)")
_STEP: Final = re.compile(rf"([^.\[]+)({INDEX})?")
_CALL: Final = re.compile(rf"module\.[\w-]+(?:{INDEX})?\.")
_MODULES: Final = re.compile(rf"(?:{_CALL.pattern})*")
_EACH: Final = "each"
_ASIDE: Final = ("count.", "each.key", "path.", "self.", "terraform.")
"""References that lead to no resource."""


_Step = tuple[str, str, int]
"""A module, a reference in it, and the identity of the `for_each` that it is under."""


@dataclass(frozen=True, slots=True)
class Followed:
    """The resources and data sources that a value comes from, by address.

    Of several instances, it is that of the reference's index, or that of the resource's own, or else may be
    each of them. `complete` says whether that is all of it: a plan does not say what a local is.
    """

    targets: tuple[str, ...]
    complete: bool


class References:
    """The references in a plan's configuration. Raises PlanError if that is not built like one."""

    def __init__(self, document: Mapping[str, Any], entries: Sequence[Entry]) -> None:
        modules = list(modules_in(document))
        self._modules = {prefix: module for prefix, _, module in modules}
        self._calls = {prefix: call for prefix, call, _ in modules}
        self._resources = {address: resource for _, address, resource in configured_in(document)}
        self._instances: dict[str, list[str]] = {}
        self._exact: dict[tuple[str, ...], str] = {}
        self._all: dict[str, frozenset[tuple[str, bool]]] = {}
        for address in (each.address for each in entries):
            self._instances.setdefault(bare(address), []).append(address)
            self._exact[bare(address), *indices_of(address)] = address

    def of(self, address: str, path: Path) -> Followed:
        """Follows the attribute at a path of a resource."""
        resource = self._resources.get(bare(address), {})
        expression: Any = resource.get("expressions")
        for key in path:
            if isinstance(expression, dict) and isinstance(key, str):
                expression = expression.get(key)
            elif isinstance(expression, list) and isinstance(key, int) and key < len(expression):
                expression = expression[key]
            else:
                expression = None
        if expression is None:
            return Followed((), complete=False)
        found = set(self._followed(_prefix(address), expression, resource.get("for_each_expression"), set()))
        own = indices_of(address) if _EACH in found else None
        targets = {each for target in found - {"", _EACH} for each in self.instances_of(target, own)}
        return Followed(tuple(sorted(targets)), complete="" not in found)

    def everything(self, address: str) -> frozenset[tuple[str, bool]]:
        """Returns what a resource or data source refers to anywhere, and whether it does so by its own index.

        Addresses have the indices that the references have.
        """
        if address not in self._all:
            resource = self._resources.get(bare(address), {})
            prefix, each = _prefix(address), resource.get("for_each_expression")
            said = [*object_in(resource.get("expressions"), "expressions").values(), each]
            said.append(resource.get("count_expression"))
            found = (set(self._followed(prefix, expression, each, set())) for expression in said)
            self._all[address] = frozenset(
                (target, _EACH in targets) for targets in found for target in targets - {"", _EACH}
            )
        return self._all[address]

    def instances_of(self, target: str, own: list[str] | None) -> list[str]:
        """Returns the instances that a target stands for: without an index, that of one's own, or all."""
        if own is not None and target == bare(target) and (exact := self._exact.get((target, *own))):
            return [exact]
        steps = (re.escape(name) + (re.escape(key) or f"(?:{INDEX})?") for name, key in _STEP.findall(target))
        pattern = re.compile(r"\.".join(steps))
        found = [each for each in self._instances.get(bare(target), ()) if pattern.fullmatch(each)]
        return [each for each in found if indices_of(each) == own] or found or [target]

    def _followed(self, prefix: str, expression: Any, each: Any, seen: set[_Step]) -> Iterator[str]:
        """Yields addresses, "" for each reference that cannot be followed, and `_EACH` for one's own index.

        An address has the indices that are known: of the module that refers, and of the reference.
        `each` is the expression of `for_each`; `seen` keeps what was followed before.
        """
        for reference in _references(expression):
            first, _, rest = reference.partition(".")
            step = prefix, reference, id(each)
            if step in seen:
                continue
            seen.add(step)
            if reference.startswith(("count.index", "each.")):
                yield _EACH
            if first == "local":
                yield ""
            elif reference.startswith("each.value"):
                yield from self._followed(prefix, each, None, seen)
            elif reference.startswith(_ASIDE):
                continue
            elif first == "var":
                yield from self._variable(prefix, bare(rest).partition(".")[0], seen)
            elif first == "module":
                yield from self._output(prefix, reference, seen)
            elif match := _RESOURCE.match(reference):
                yield prefix + match[0]

    def _variable(self, prefix: str, name: str, seen: set[_Step]) -> Iterator[str]:
        if not prefix:
            return
        call = self._calls.get(bare(prefix), {})
        outer = "".join(each[0] for each in list(_CALL.finditer(prefix))[:-1])
        given = object_in(call.get("expressions"), "expressions")
        yield from self._followed(outer, given.get(name), call.get("for_each_expression"), seen)

    def _output(self, prefix: str, reference: str, seen: set[_Step]) -> Iterator[str]:
        match = _OUTPUT.match(reference)
        inner = f"{prefix}module.{match[1]}{match[2] or ''}." if match else ""
        outputs = object_in(self._modules.get(bare(inner), {}).get("outputs"), "outputs")
        output = outputs.get(match[3]) if match else None
        if not isinstance(output, dict):
            yield ""
            return
        yield from self._followed(inner, output.get("expression"), None, seen)


def _prefix(address: str) -> str:
    """Returns the module of an address, with its indices and a dot; "" for the root."""
    match = _MODULES.match(address)
    return match[0] if match else ""


def _references(expression: Any) -> Iterator[str]:
    """Yields the references within an expression, or within the blocks of one, each as exact as it is there.

    Terraform writes `module.a["x"].b`, `module.a["x"]` and `module.a` for the first of these.
    """
    if isinstance(expression, dict):
        for key, value in expression.items():
            if key == "references" and isinstance(value, list):
                found = [each for each in value if isinstance(each, str)]
                yield from (
                    each
                    for each in found
                    if not any(other.startswith((f"{each}.", f"{each}[")) for other in found)
                )
            elif key != "constant_value":
                yield from _references(value)
    elif isinstance(expression, list):
        for each in expression:
            yield from _references(each)
