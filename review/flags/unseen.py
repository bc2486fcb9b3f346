"""Flags what no change shows by itself: commands that an apply runs, lost marks, drift that it undoes."""

from collections.abc import Iterator

from review.comparing.differences import differences
from review.model import ABSENT, Concern, Flag, Plan, Tree


def commands(stack: str, plan: Plan) -> Iterator[Flag]:
    """Flags each command that the apply runs."""
    for run in plan.provisioners:
        where = (
            "It runs where Terraform runs, with its credentials."
            if run.is_local
            else "It runs on the resource, or on what its connection names."
        )
        title = "Runs a command during the apply"
        path = ("provisioner", run.type)
        yield Flag(Concern.PERMISSION, stack, run.address, title, where, path, ABSENT, run.command)


def lost_marks(stack: str, plan: Plan) -> Iterator[Flag]:
    """Flags each value that loses its mark as sensitive."""
    title = "No longer sensitive"
    reason = "Terraform will show the value from the next plan on, in its logs and to whoever reads outputs."
    for change in plan.changes:
        for path in change.no_longer_sensitive:
            names = tuple(map(str, path))
            yield Flag(Concern.EXPOSURE, stack, change.address, title, reason, names, ABSENT, ABSENT)
    for output in plan.outputs:
        if output.no_longer_sensitive:
            address = f"output.{output.name}"
            yield Flag(Concern.EXPOSURE, stack, address, title, reason, (), ABSENT, ABSENT)


def redacted(stack: str, plan: Plan) -> Iterator[Flag]:
    """Flags updates of which a redacted plan does not show what changes."""
    title = "Changed, but the plan was redacted"
    for change in plan.changes:
        if change.redacted is not None:
            reason = "The same placeholder stands on both sides, so nobody can see here whether it changes."
            if not change.redacted:
                reason = (
                    "Terraform updates it, but both sides are the same here, so nobody can see what changes."
                )
            named: Tree = ", ".join(change.redacted) or ABSENT
            yield Flag(Concern.OTHER, stack, change.address, title, reason, (), ABSENT, named, weight=45)


def undone(stack: str, plan: Plan) -> Iterator[Flag]:
    """Flags what was changed outside of Terraform and the apply puts back."""
    acting = {change.address: change for change in plan.changes if isinstance(change.after, dict)}
    for drift in plan.drift:
        change = acting.get(drift.address)
        if change is None or not isinstance(drift.before, dict) or not isinstance(drift.after, dict):
            continue
        for found in differences(drift.before, drift.after):
            key = found.path[0]
            now = change.after.get(key, ABSENT) if isinstance(change.after, dict) else ABSENT
            is_undone = now == drift.before.get(key, ABSENT)
            # A number, such as that of tasks, may be set to a third one.
            was = drift.after.get(key)
            is_other = isinstance(now, int | float) and isinstance(was, int | float) and now != was
            if is_undone or is_other:
                title = "Undoes a change made outside of Terraform"
                reason = "Someone may rely on that change, or made it in an emergency."
                place = (Concern.RUNTIME, stack, drift.address, title, reason)
                after = found.before if is_undone else now
                yield Flag(*place, found.path, found.after, after, weight=56)
