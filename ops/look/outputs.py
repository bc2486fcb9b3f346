"""The outputs of an environment's stacks, from their states."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.text import Text

from ops.core.errors import OpsError, UsageError
from ops.terraform.states import StateBucket
from stacks.naming import state_key


@dataclass(frozen=True, slots=True)
class Output:
    """An output of a stack; `value` is any JSON value."""

    stack: str
    name: str
    value: object
    sensitive: bool


def read(states: StateBucket, stack: str) -> tuple[Output, ...] | None:
    """Returns the outputs of a stack sorted by name, or None if it has no state.

    Raises OpsError if the object is not a state.

    Source of the format: the state files of Terraform 1 and OpenTofu 1, format version 4.
    """
    if not states.has(stack):
        return None
    key = state_key(stack)
    content = states.s3.get_object(Bucket=states.name, Key=key)["Body"].read()
    try:
        found = json.loads(content).get("outputs", {})
        return tuple(
            Output(stack, name, found[name]["value"], bool(found[name].get("sensitive")))
            for name in sorted(found)
        )
    except (ValueError, KeyError, TypeError, AttributeError):
        raise OpsError(
            f"s3://{states.name}/{key} cannot be read as a Terraform state. The bucket keeps its previous "
            "versions."
        ) from None


def one(outputs: Iterator[Output], name: str) -> Output:
    """Returns the output of that name, from the last stack that has it.

    Raises UsageError, with the known names, if there is none.
    """
    found = {output.name: output for output in outputs}
    if name not in found:
        known = f". Use one of {', '.join(sorted(found))}" if found else ": there are none yet"
        raise UsageError(f"NAME={name} is not an output{known}.")
    return found[name]


def text(value: object) -> str:
    """Returns a value in one line: strings unchanged, all else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True)


def as_json(found: Sequence[Output]) -> dict[str, object]:
    """Returns outputs by name; a sensitive one without its value."""
    return {
        output.name: {"sensitive": True} if output.sensitive else {"value": output.value} for output in found
    }


def lines(found: Mapping[str, Sequence[Output] | None]) -> Iterator[Text]:
    """Yields each stack's name and its outputs, sensitive ones without their values."""
    names = [output.name for of in found.values() for output in of or ()]
    width = max(map(len, names), default=0)
    for stack, of in found.items():
        yield Text.assemble(
            (stack, "bold"), "" if of else (" has none" if of == () else " is not applied yet")
        )
        for output in of or ():
            shown = "(sensitive; NAME= prints it)" if output.sensitive else text(output.value)
            yield Text(f"  {output.name:<{width}}  {shown}")
