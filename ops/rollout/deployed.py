"""A service of an environment while one of its releases is being deployed."""

from collections.abc import Iterator

from ops.core.clients import ambient_client
from ops.core.ecs import Image, read_image, revision
from ops.core.errors import ReleaseFailedError
from ops.core.progress import Phase
from ops.rollout.bake import bake, raised, read_alarms
from ops.rollout.smoke import address_of
from ops.rollout.tasks import failed_tasks, wait_until_healthy
from ops.rollout.watch import Say, Watch
from stacks.naming import alarm_prefix, base, service_name
from stacks.settings import Environment, Project
from stacks.workloads import workload


class Deployed:
    """A service, what it ran before, and how it is watched; call `begin` before the other methods."""

    def __init__(self, project: Project, environment: Environment, service: str) -> None:
        self.service = service
        self.name = service_name(project.name, environment.name, service)
        self.workload = workload(project, environment, service)
        self.completed = False
        """Whether ECS says that the deployment of what `ran` has completed."""

        self._before: dict[str, Image] = {}
        self._environment = environment
        self._ecs = ambient_client("ecs", environment.region)
        self._cloudwatch = ambient_client("cloudwatch", environment.region)
        self._watch = Watch(self._ecs, base(project.name, environment.name), self.name)
        self._alarms = alarm_prefix(project.name, environment.name, service)
        self._raised: frozenset[str] = frozenset()

    def begin(self, *, alarms: bool) -> None:
        """Reads the service before the deployment, and its alarms if there will be a bake."""
        found = self._watch.begin()
        settled = found.settled if found else None
        for each in self.workload.containers:
            image = read_image(self._ecs, settled.task_definition, each.name) if settled else None
            if image and each.release:
                self._before[each.release] = image
        self.completed = settled is not None and settled.state == "COMPLETED"
        self._raised = raised(read_alarms(self._cloudwatch, self._alarms)) if alarms else frozenset()

    @property
    def released(self) -> str | None:
        """Returns the name of the image that its own container runs; None for a third-party image."""
        return self.workload.main.release

    def ran(self, name: str) -> Image | None:
        """Returns the release of an image that its last completed deployment ran, or else the current one."""
        return self._before.get(name)

    def wait(self, task_definition: str, limit: float, phase: Phase, say: Say, *, live: bool) -> None:
        """Waits until a task definition is in service.

        Raises ReleaseFailedError, with the causes, if it does not get there.
        """
        try:
            found = self._watch.wait(task_definition, limit, phase, say, live=live)
        except ReleaseFailedError as failure:
            reason = f"The rollout of {self.service} failed: {failure.reason}"
            details = [*failure.details, *self._failed_tasks(task_definition)]
            raise ReleaseFailedError(reason, details) from None
        if primary := found.primary:
            phase.result = f"{primary.running} of {primary.desired} tasks run {revision(task_definition)}"

    def bake(self, seconds: float, phase: Phase, say: Say) -> None:
        """Watches the alarms for `seconds`.

        Raises ReleaseFailedError if one is raised that was not raised before.
        """
        bake(self._cloudwatch, self._alarms, self._raised, seconds, phase, say)

    def address(self) -> str:
        """Returns the address of a service behind a load balancer.

        Raises OpsError if it has neither a domain nor a load balancer yet.
        """
        return address_of(ambient_client("elbv2", self._environment.region), self.workload)

    def test_tasks(self, phase: Phase, seconds: float) -> None:
        """Waits until as many tasks run as should, all of them healthy.

        Raises ReleaseFailedError if that is not so within `seconds`.
        """
        wait_until_healthy(self._ecs, self._watch.cluster, self.name, phase, seconds)

    def _failed_tasks(self, task_definition: str) -> Iterator[str]:
        logs = ambient_client("logs", self._environment.region)
        return failed_tasks(self._ecs, logs, self._watch.cluster, self.name, task_definition)
