"""Flags another task definition of a service, and secrets in a function's variables."""

from collections.abc import Iterator

from review.flags.subject import Subject, hidden
from review.model import ABSENT, Concern, Flag, Masked, Tree, blocks


def services(subject: Subject) -> Iterator[Flag]:
    """Flags what of a service or function takes more than a look at one attribute."""
    if not subject.stays:
        return
    if subject.change.type == "aws_ecs_service" and not subject.is_new:
        yield from _task_definition(subject)
    elif subject.change.type == "aws_lambda_function":
        yield from _variables(subject)


def _task_definition(subject: Subject) -> Iterator[Flag]:
    """Flags a service that rolls out, or changes to another family of task definitions."""
    before, after = subject.sides("task_definition")
    if before == after or not isinstance(before, str):
        return
    former = _family(before)
    path = ("task_definition",)
    is_same = isinstance(after, str) and _family(after) == former
    if is_same or (hidden(after) and former in subject.replaced_families):
        reason = "New tasks of the new revision replace the running ones."
        yield subject.flag(Concern.RUNTIME, "Rolled out", reason, path, weight=16)
        return
    reason = "The service runs another task definition: image, role and command may differ."
    yield subject.flag(Concern.RUNTIME, "Task definition changed", reason, path, before, after, weight=58)


def _family(task_definition: str) -> str:
    """Returns the family of a task definition from its ARN or name."""
    return task_definition.rpartition("/")[2].partition(":")[0]


def _variables(subject: Subject) -> Iterator[Flag]:
    """Flags secrets in a function's variables, which everybody who can describe it can read."""
    before, after = _environment(subject.before), _environment(subject.after)
    for name, value in sorted(after.items()):
        if isinstance(value, Masked) and not isinstance(before.get(name), Masked):
            path = ("environment", "variables", name)
            yield plain_secret(subject, path, before.get(name, ABSENT), value)


def _environment(resource: dict[str, Tree]) -> dict[str, Tree]:
    found: dict[str, Tree] = {}
    for block in blocks(resource.get("environment")):
        variables = block.get("variables")
        if isinstance(variables, dict):
            found |= variables
    return found


def plain_secret(subject: Subject, path: tuple[str, ...], before: Tree, after: Tree) -> Flag:
    """Builds the flag for a secret in a plain variable."""
    reason = "Anyone who may describe it can read a plain variable, and so the secret."
    return subject.flag(Concern.RUNTIME, "Secret in plain", reason, path, before, after, weight=74)
