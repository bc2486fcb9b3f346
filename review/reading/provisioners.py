"""Reads the commands that an apply runs beside what it changes."""

from collections.abc import Iterator, Mapping
from typing import Any, Final

from review.model import UNKNOWN, ProvisionerRun, Tree
from review.reading.masking import tree_of
from review.reading.secret_detection import redact
from review.reading.structure import actions_in, bare, modules_in, object_in, objects_in, text_in

_COMMANDS: Final = ("command", "inline", "script", "scripts", "content", "source")
_LOCAL: Final = "local-exec"


def provisioners_of(document: Mapping[str, Any]) -> tuple[ProvisionerRun, ...]:
    """Returns the provisioners that run for resources the plan creates or destroys.

    One for each provisioner in the configuration, however many instances of the resource there are.
    Raises PlanError if the document is not built like a plan.
    """
    created, destroyed = set(), set()
    for place, item in objects_in(document, "resource_changes"):
        actions = actions_in(object_in(item.get("change"), f"{place}.change"), place)
        address = bare(text_in(item, "address", place))
        if "create" in actions:
            created.add(address)
        if "delete" in actions:
            destroyed.add(address)
    found = []
    for address, provisioner in _configured(document):
        runs_at_end = provisioner.get("when") == "destroy"
        if address in (destroyed if runs_at_end else created):
            type_ = text_in(provisioner, "type", "provisioner")
            found.append(
                ProvisionerRun(redact(address), redact(type_), _command(provisioner), type_ == _LOCAL)
            )
    return tuple(sorted(found, key=lambda each: (each.address, each.type, repr(each.command))))


def _configured(document: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields every provisioner with the address of its resource."""
    for prefix, _, module in modules_in(document):
        for place, resource in objects_in(module, "resources", "configuration"):
            address = prefix + text_in(resource, "address", place)
            for _, provisioner in objects_in(resource, "provisioners", place):
                yield address, provisioner


def _command(provisioner: Mapping[str, Any]) -> Tree:
    expressions = object_in(provisioner.get("expressions"), "provisioner.expressions")
    for name in _COMMANDS:
        if name in expressions:
            expression = expressions[name]
            known = isinstance(expression, Mapping) and "constant_value" in expression
            return tree_of(expression["constant_value"]) if known else UNKNOWN
    return UNKNOWN
