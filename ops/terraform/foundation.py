"""Bootstraps the foundation: its state starts on disk and moves into the bucket once that exists."""

from ops.core.errors import OpsError
from ops.terraform.states import StateBucket
from ops.terraform.workspace import OnLine, Workspace


def init(workspace: Workspace, states: StateBucket) -> None:
    """Runs `terraform init`, with the state in the bucket if it is there, else in the working directory.

    `-reconfigure` makes Terraform forget which of the two it used last: `states` decides.
    """
    if states.exists() and states.has(workspace.stack):
        workspace.use_backend()
    else:
        workspace.use_local_state()
    workspace.init("-reconfigure")


def settle(workspace: Workspace) -> None:
    """Moves a state on disk into the bucket, after an apply."""
    if workspace.has_local_state:
        workspace.move_state_to_backend()


def destroy(workspace: Workspace, states: StateBucket, on_line: OnLine | None = None) -> None:
    """Destroys the stack whose bucket holds the states, including its own.

    Terraform plans first, so that a protected resource stops everything before any state is
    touched. Raises OpsError if another stack still has resources, since nothing could manage them
    without their state.
    """
    for stack in states.stacks():
        if stack != workspace.stack and (left := states.resources(stack)):
            raise OpsError(
                f"The stack {stack} still has {len(left)} resources ({', '.join(left[:3])}, ...), and its "
                f"state is in the bucket {states.name}, which goes with this stack. Destroy {stack} first."
            )
    init(workspace, states)
    workspace.plan("-destroy", on_line=on_line)
    workspace.discard_plan()
    if not workspace.has_local_state:
        workspace.move_state_to_directory()
    if states.exists():
        states.empty()
    workspace.destroy(on_line=on_line)
