"""Writes a synthesized stack as the plan of an empty account, the form in which checkov reads Terraform JSON.

Only a plan against AWS knows everything, but every stack of every environment is synthesized on any desk.
Source: Terraform's documentation, "JSON Output Format".
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from ops.terraform.fetch import PINNED

_NO_ARGUMENTS: Final = frozenset(
    {"//", "lifecycle", "depends_on", "provider", "provisioner", "count", "for_each"}
)
_MAPS: Final = frozenset({"tags", "tags_all", "dimensions"})
"""Arguments that are maps; every other object is a nested block, which a plan has as a list."""

_EXPRESSION: Final = re.compile(r"\$\{(.*?)\}")
_NAMED: Final = re.compile(r"\b((?:data\.)?aws_\w+\.[\w-]+)((?:\.\w+)?)")

Block = Mapping[str, Any]


def plan_of(configuration: Block) -> dict[str, Any]:
    """Returns the plan that creates all resources of a synthesized stack."""
    managed = list(_resources(configuration.get("resource", {})))
    resources = [{**named, "values": _values(block)} for named, block in managed]
    changes = [
        {**named, "change": {"actions": ["create"], "before": None, "after": _values(block)}}
        for named, block in managed
    ]
    return {
        "format_version": "1.2",
        "terraform_version": PINNED.version,
        "planned_values": {"root_module": {"resources": resources}},
        "resource_changes": changes,
        "configuration": {
            "root_module": {
                "resources": [{**named, "expressions": _expressions(block)} for named, block in managed]
            }
        },
    }


def _resources(blocks: Block) -> Iterator[tuple[dict[str, str], Block]]:
    for kind, named in blocks.items():
        for name, block in named.items():
            identity = {"address": f"{kind}.{name}", "mode": "managed", "type": kind, "name": name}
            yield identity, {key: value for key, value in block.items() if key not in _NO_ARGUMENTS}


def _values(block: Block) -> dict[str, Any]:
    """Returns what is known before anything exists; a policy is kept with the references in its text."""
    found: dict[str, Any] = {}
    for key, value in block.items():
        if nested := _nested(key, value):
            found[key] = [_values(each) for each in nested]
        elif "${" not in json.dumps(value) or (isinstance(value, str) and value.startswith("{")):
            found[key] = value
    return found


def _expressions(block: Block) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in block.items():
        if nested := _nested(key, value):
            found[key] = [_expressions(each) for each in nested]
        elif references := list(_references(json.dumps(value))):
            found[key] = {"references": references}
        else:
            found[key] = {"constant_value": value}
    return found


def _nested(key: str, value: Any) -> list[Block]:
    if isinstance(value, dict):
        return [] if key in _MAPS else [value]
    return value if isinstance(value, list) and value and isinstance(value[0], dict) else []


def _references(text: str) -> Iterator[str]:
    for expression in _EXPRESSION.findall(text):
        for resource, attribute in _NAMED.findall(expression):
            yield from dict.fromkeys((f"{resource}{attribute}", resource))
