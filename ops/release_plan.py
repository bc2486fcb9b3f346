"""Plans what a release changes in a service stack, and nothing more than a release may."""

from ops import standing
from ops.checkout import Checkout
from ops.errors import OpsError
from ops.planned import changed_services, changes_nothing, counts, refusals
from ops.progress import Phase
from ops.provision import init
from ops.synthesis import synthesize
from ops.targets import Target
from ops.workspace import Workspace
from stacks.settings import Platform


def plan_release(
    checkout: Checkout, platform: Platform, target: Target, workspace: Workspace, phase: Phase
) -> frozenset[str]:
    """Save a plan; returns the names of the ECS services that it changes.

    OpsError, and no plan is left, when it does more than a release may.
    """
    synthesize(checkout)
    workspace.take(checkout.configuration(target.stack))
    init(workspace, platform, target)
    plan = workspace.plan()
    added, changed, destroyed = counts(plan)
    phase.result = f"{added} to add, {changed} to change, {destroyed} to destroy"
    if changes_nothing(plan):
        phase.result = "nothing to change"
    if (found := refusals(plan)) and target.environment:
        workspace.discard_plan()
        raise OpsError(standing.refused(target.environment.name, target.stack, found))
    return frozenset(changed_services(plan))
