"""The modules of a plan's configuration.

Source: Terraform's documentation, "JSON Output Format", configuration representation.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from review.structure import object_in


def modules_in(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    """Each module with what its addresses begin with and the call that it comes from; the root first.

    Addresses are without indices, and the root's call is empty. Raises PlanError if the document is
    not built like a plan.
    """
    configuration = object_in(document.get("configuration"), "configuration")
    yield from _modules("", {}, configuration.get("root_module"))


def _modules(
    prefix: str, call: Mapping[str, Any], module: object
) -> Iterator[tuple[str, Mapping[str, Any], Mapping[str, Any]]]:
    found = module if isinstance(module, Mapping) else {}
    yield prefix, call, found
    for name, each in object_in(found.get("module_calls"), "configuration.module_calls").items():
        if isinstance(each, Mapping):
            yield from _modules(f"{prefix}module.{name}.", each, each.get("module"))
