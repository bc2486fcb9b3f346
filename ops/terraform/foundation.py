"""The state bucket's own stack: its state cannot be in the bucket before the bucket exists."""

from ops.core.errors import OpsError
from ops.terraform.states import StateBucket
from ops.terraform.workspace import OnLine, Workspace


def init(workspace: Workspace, states: StateBucket) -> None:
    """`terraform init`, with the state in the bucket if it is there, else in the working directory.

    `-reconfigure` makes Terraform forget which of the two it was the last time: `states` knows.
    """
    if states.exists() and states.has(workspace.stack):
        workspace.use_backend()
    else:
        workspace.use_local_state()
    workspace.init("-reconfigure")


def settle(workspace: Workspace) -> None:
    """Once applied: move a state that was local into the bucket."""
    if workspace.has_local_state:
        workspace.move_state_to_backend()


def destroy(workspace: Workspace, states: StateBucket, on_line: OnLine | None = None) -> None:
    """Destroy the stack whose bucket holds the states, its own among them.

    Terraform's plan comes first, so that a protected resource stops everything before a state is
    touched. OpsError when another stack still has resources: without its state nobody knows them.
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
