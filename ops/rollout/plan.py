"""Plans a release: what it changes in a service stack, and whether a release may do that.

Source of the formats: Terraform's documentation, "JSON Output Format", format version 1.
"""

from collections.abc import Iterator
from typing import Any, Final

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.core.progress import Phase
from ops.terraform.provision import init
from ops.terraform.states import attributes
from ops.terraform.synthesis import synthesize
from ops.terraform.workspace import Workspace
from stacks.kinds import Stack
from stacks.settings import Platform

_REPLACED_BY_EVERY_RELEASE: Final = "aws_ecs_task_definition"
_FORMAT: Final = "1"
_HARMLESS: Final = frozenset({"no-op", "read", "create", "update"})


def plan_release(
    checkout: Checkout, platform: Platform, target: Stack, workspace: Workspace, phase: Phase
) -> frozenset[str]:
    """Saves a plan and returns the names of the ECS services that it changes.

    Raises OpsError, and discards the plan, if it does more than a release may.
    """
    synthesize(checkout)
    workspace.take(checkout.configuration(target.name))
    init(workspace, platform, target)
    plan = workspace.plan()
    added, changed, destroyed = counts(plan)
    phase.result = f"{added} to add, {changed} to change, {destroyed} to destroy"
    if changes_nothing(plan):
        phase.result = "nothing to change"
    if (found := refusals(plan)) and target.environment:
        workspace.discard_plan()
        named, told = f"ENV={target.environment.name} STACK={target.kind.name}", "\n  ".join(("", *found))
        raise OpsError(
            f"The plan of {target.name} does more than a release may, so nothing was applied:{told}\n"
            f"If that is what you want, look at it (`make plan {named}`) and apply it (`make apply {named}`)."
        )
    return frozenset(changed_services(plan))


def applied_task_definition(workspace: Workspace, family: str) -> str:
    """Returns the ARN of the task definition that was applied last.

    It reads the state and not ECS, which may have rolled back already. Raises OpsError if the state
    has no task definition of that family.
    """
    for address, found in attributes(workspace.pull_state()).items():
        if address.startswith(f"{_REPLACED_BY_EVERY_RELEASE}.") and found["family"] == family:
            return str(found["arn"])
    raise OpsError(f"The state of {workspace.stack} has no task definition {family}.")


def refusals(plan: Any) -> list[str]:
    """Returns why a plan needs a person's review; empty if a release may do all of it.

    A release may add and change resources and replace task definitions, which have a new revision
    each time. It may not delete or forget anything else.
    """
    if str(plan.get("format_version", "")).partition(".")[0] != _FORMAT:
        return [f"the plan has a format version that is not supported: {plan.get('format_version')}"]
    if plan.get("errored"):
        return ["the plan failed half-way"]
    if plan.get("complete") is False and plan.get("applyable") is True:
        return ["the plan is incomplete: it defers some changes to a later plan"]
    return [
        f"{change['address']} would be {_verb(change)}"
        for change in plan.get("resource_changes") or ()
        if not _HARMLESS.issuperset(change["change"]["actions"])
        and change["type"] != _REPLACED_BY_EVERY_RELEASE
    ]


def counts(plan: Any) -> tuple[int, int, int]:
    """Returns how many resources are added, changed and destroyed, as Terraform counts them."""
    actions = [change["change"]["actions"] for change in plan.get("resource_changes") or ()]
    added, changed, destroyed = (
        sum(action in each for each in actions) for action in ("create", "update", "delete")
    )
    return added, changed, destroyed


def changes_nothing(plan: Any) -> bool:
    """Whether applying the plan would change nothing, outputs included."""
    outputs = (plan.get("output_changes") or {}).values()
    return not any(counts(plan)) and all(change["actions"] == ["no-op"] for change in outputs)


def changed_services(plan: Any) -> Iterator[str]:
    """Yields the names of the ECS services that a plan creates or changes."""
    for change in plan.get("resource_changes") or ():
        if change["type"] == "aws_ecs_service" and {"create", "update"}.intersection(
            change["change"]["actions"]
        ):
            yield str(change["change"]["after"]["name"])


def _verb(change: Any) -> str:
    actions = set(change["change"]["actions"])
    if actions == {"create", "delete"}:
        attributes = (".".join(map(str, path)) for path in change["change"].get("replace_paths") or ())
        because = ", ".join(attributes)
        return f"replaced: deleted and created again{f' (because of {because})' if because else ''}"
    return "deleted" if actions == {"delete"} else f"touched by {', '.join(sorted(actions))}"
