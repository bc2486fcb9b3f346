"""The smoke test of a service, by its kind: requests to its address, or what ECS says of its tasks."""

from ops.core.ecs import Image
from ops.core.errors import UsageError
from ops.core.progress import Phase
from ops.local.stand_in import StandIn
from ops.rollout.deployed import Deployed
from ops.rollout.smoke import Asked, smoke_test
from stacks.workloads import Workload


def require_balanced(workload: Workload) -> None:
    """Raises UsageError unless a service takes requests from outside, which is what `ADDRESS=` is for."""
    if not workload.balanced:
        raise UsageError(
            f"ADDRESS= is for services behind a load balancer, and {workload.key} is behind none."
        )


def verify(
    deployed: Deployed,
    image: Image | None,
    address: str,
    stand_in: StandIn | None,
    phase: Phase,
    seconds: float,
) -> None:
    """Tests a service; `image` is the release that its own container runs, None for a third-party image.

    `address` is where it is asked in place of its own address; see `require_balanced`. On the embedded
    AWS a service without one only has to run on this machine.

    Raises ReleaseFailedError if it does not pass within `seconds`.
    """
    workload = deployed.workload
    if not workload.balanced and stand_in is None:
        deployed.test_tasks(phase, seconds)
        return
    if stand_in and not address:
        state, address = stand_in.state(deployed.service), stand_in.address(deployed.service)
        if not workload.balanced or not address:
            phase.result = f"nothing to ask: {state}{f' at {address}' if address else ''}"
            return
        asked = Asked.of(workload, direct=True)
    else:
        asked = Asked.of(workload, direct=bool(address))
        address = address or deployed.address()
    smoke_test(address, image, phase, seconds, asked=asked)
