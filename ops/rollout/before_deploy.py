"""Runs `before_deploy`: a command in a task of the new image, before the rest of a deployment is applied.

First a targeted apply makes what the task needs: its definition, and the roles, rules and log group of
the service. A definition whose command did not succeed is deregistered. So the next plan makes a new
revision, which is how a later deployment knows that the command has still to run.

Sources: Amazon ECS API Reference, "RunTask", "DescribeTasks", "StopTask", "Task" and "Container"; Terraform's
documentation, "JSON Output Format" and "Resource Targeting".
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from ops.core.clients import ambient_client
from ops.core.console import minutes, printable
from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.local.stand_in import StandIn
from ops.rollout.tasks import last_lines
from ops.terraform.phases import watch
from ops.terraform.states import attributes
from ops.terraform.workspace import Workspace
from stacks.naming import base
from stacks.settings import Environment, Project
from stacks.workloads import in_order_of_use

HAS_TO_FIT: Final = (
    "before_deploy is not undone: a migration has to leave the previous release working, which runs beside "
    "the new one and is what an undo or a rollback brings back."
)

INTERVAL: Final = 2.0
"""Seconds between two looks at a task."""

_STARTS: Final = 3
"""How often a task is started whose container never ran: IAM may not know yet what its new roles may do."""

_STARTS_AFTER: Final = 15.0
"""Seconds between two starts."""

_NEEDED: Final = frozenset(
    {
        "aws_cloudwatch_log_group",
        "aws_iam_role",
        "aws_iam_role_policy",
        "aws_security_group",
        "aws_vpc_security_group_egress_rule",
        "aws_vpc_security_group_ingress_rule",
    }
)
"""Resources of a service without which its task does not start, or does not reach what it uses."""

_CLUSTER: Final = frozenset({"aws_ecs_cluster", "aws_ecs_cluster_capacity_providers"})
_UNCHANGED: Final = frozenset({"no-op", "read"})


@dataclass(frozen=True, slots=True)
class BeforeDeploy:
    """The commands of one environment; `phase` shows a step, and `limit` is in seconds, for each command.

    `stand_in` runs the tasks where ECS does not.
    """

    project: Project
    environment: Environment
    phase: Callable[[str], AbstractContextManager[Phase]]
    limit: float
    stand_in: StandIn | None

    def run(self, workspace: Workspace, plan: Any, services: Sequence[str]) -> None:
        """Applies what the tasks of services need, and runs one after the other; removes the saved plan.

        `plan` is the whole plan of the stack. Raises ReleaseFailedError for the first command that does
        not succeed, and OpsError, with nothing applied, if what they need is not a part of `plan`.
        """
        left = list[str]()
        try:
            with self.phase("prepare before_deploy") as phase:
                needed = workspace.plan(*(f"-target={address}" for address in targets(plan, services)))
                if found := beyond(plan, needed):
                    workspace.discard_plan()
                    raise OpsError(
                        "What before_deploy needs makes other changes than the plan before it: "
                        f"{', '.join(found)}. Look at them with `make plan`, then try again."
                    )
                left += services
                workspace.apply_plan(on_line=watch(phase))
            resources = attributes(workspace.pull_state())
            for service in services:
                with self.phase(f"before_deploy {service}") as phase:
                    self._run(service, resources, _network(plan, service), phase)
                left.remove(service)
        except BaseException:
            self._deregister(workspace, left)
            raise

    def _run(
        self,
        service: str,
        resources: Mapping[str, Any],
        network: Mapping[str, Any],
        phase: Phase,
    ) -> None:
        """Runs the command of one service to its end."""
        if self.stand_in and (reason := self.stand_in.reason(service)):
            phase.result = f"not run: {reason}"
            return
        wanted = {
            "cluster": self._cluster,
            "taskDefinition": resources[definition_address(service)]["arn"],
            "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}],
            "networkConfiguration": {
                "awsvpcConfiguration": {
                    "subnets": network["subnets"],
                    "securityGroups": [resources[f"aws_security_group.{service}_task_group"]["id"]],
                    "assignPublicIp": "ENABLED" if network.get("assign_public_ip") else "DISABLED",
                }
            },
            "startedBy": "before_deploy",
        }
        task, said = self._task(service, wanted, phase)
        for _ in range(_STARTS - 1):
            if _exit_code(task, service) is not None:
                break
            phase.detail = f"{_stopped(task)}; starting it again"
            time.sleep(_STARTS_AFTER)
            task, said = self._task(service, wanted, phase)
        code = _exit_code(task, service)
        phase.result = f"ended with exit code {code}"
        if code != 0:
            how = "did not start" if code is None else f"ended with exit code {code}"
            raise _failed(service, f"{how}: {_stopped(task)}", said or [*self._last_lines(task)])

    def _task(self, service: str, wanted: Mapping[str, Any], phase: Phase) -> tuple[Any, list[str]]:
        """Starts a task and returns it as it ended, with what it printed if it ran on this machine."""
        answer = self._ecs.run_task(**wanted)
        if not answer["tasks"]:
            reasons = ", ".join(each.get("reason", "no reason") for each in answer["failures"])
            raise _failed(service, f"was not started by ECS: {reasons}", [])
        (task,) = answer["tasks"]
        said = []
        try:
            if self.stand_in:
                said = [f"  | {self.stand_in.run_before_deploy(service, task, self.limit)}"]
            return self._ended(service, task, phase), said
        except BaseException:
            with suppress(ClientError, BotoCoreError):
                self._ecs.stop_task(
                    cluster=self._cluster, task=task["taskArn"], reason="The deployment was given up"
                )
            raise

    def _ended(self, service: str, task: Any, phase: Phase) -> Any:
        deadline = time.monotonic() + self.limit
        while True:
            # A task is not there for everybody at once.
            for found in self._ecs.describe_tasks(cluster=self._cluster, tasks=[task["taskArn"]])["tasks"]:
                phase.detail = f"the task is {found['lastStatus'].lower()}"
                if found["lastStatus"] == "STOPPED":
                    return found
            if time.monotonic() >= deadline:
                lines = [*self._last_lines(task)]
                raise _failed(service, f"took more than {minutes(self.limit)} and was stopped", lines)
            time.sleep(INTERVAL)

    def _last_lines(self, task: Any) -> Iterator[str]:
        try:
            yield from last_lines(self._ecs, ambient_client("logs", self.environment.region), task)
        except (ClientError, BotoCoreError) as error:
            yield f"Its log could not be read: {error}"

    def _deregister(self, workspace: Workspace, services: Sequence[str]) -> None:
        """Deregisters the definitions of commands that did not succeed."""
        with suppress(OpsError, ClientError, BotoCoreError):
            resources = attributes(workspace.pull_state())
            for found in (resources.get(definition_address(service)) for service in services):
                if found:
                    self._ecs.deregister_task_definition(taskDefinition=found["arn"])

    @property
    def _cluster(self) -> str:
        return base(self.project.name, self.environment.name)

    @property
    def _ecs(self) -> Any:
        return ambient_client("ecs", self.environment.region)


def services_to_run(plan: Any, environment: Environment) -> tuple[str, ...]:
    """Returns the services whose task of `before_deploy` a plan defines anew, in the order of `uses`."""
    defined = {
        change["address"]
        for change in plan.get("resource_changes") or ()
        if "create" in change["change"]["actions"]
    }
    return tuple(key for key in in_order_of_use(environment) if definition_address(key) in defined)


def targets(plan: Any, services: Sequence[str]) -> tuple[str, ...]:
    """Returns the addresses of what the tasks of services need and a plan changes."""
    return tuple(
        change["address"]
        for change in plan.get("resource_changes") or ()
        if not _UNCHANGED.issuperset(change["change"]["actions"])
        and (change["type"] in _CLUSTER or any(_needs(service, change) for service in services))
    )


def beyond(plan: Any, later: Any) -> tuple[str, ...]:
    """Returns the addresses of what a later plan changes otherwise than an earlier one said.

    What the earlier plan did not know may be any value by then.
    """
    planned = {change["address"]: change["change"] for change in plan.get("resource_changes") or ()}
    return tuple(
        change["address"]
        for change in later.get("resource_changes") or ()
        if not _UNCHANGED.issuperset(change["change"]["actions"])
        and not _is_part(planned.get(change["address"]), change["change"])
    )


def definition_address(service: str) -> str:
    """Returns Terraform's address of the task definition of a service's `before_deploy`."""
    return f"aws_ecs_task_definition.{service}_before_deploy"


def _needs(service: str, change: Any) -> bool:
    name = change["name"]
    own = name.startswith(f"{service}_") or name.endswith(f"_from_service_{service}")
    return change["address"] == definition_address(service) or (change["type"] in _NEEDED and own)


def _is_part(planned: Any, change: Any) -> bool:
    return (
        planned is not None
        and planned["actions"] == change["actions"]
        and _agrees(planned.get("after"), planned.get("after_unknown"), change.get("after"))
    )


def _agrees(planned: Any, unknown: Any, now: Any) -> bool:
    """Whether a value is the planned one, where that was known."""
    if unknown is True:
        return True
    if isinstance(now, dict) and isinstance(planned, dict):
        unknown = unknown if isinstance(unknown, dict) else {}
        return all(_agrees(planned.get(key), unknown.get(key), value) for key, value in now.items())
    if isinstance(now, list) and isinstance(planned, list) and len(now) == len(planned):
        unknown = unknown if isinstance(unknown, list) else []
        unknown = [*unknown, *[False] * (len(now) - len(unknown))]
        return all(map(_agrees, planned, unknown, now))
    return bool(planned == now)


def _network(plan: Any, service: str) -> Mapping[str, Any]:
    """Returns the network configuration that a plan has for an ECS service, but for what it does not know."""
    address = f"aws_ecs_service.{service}_service"
    (change,) = (each for each in plan["resource_changes"] if each["address"] == address)
    (found,) = change["change"]["after"]["network_configuration"]
    return dict(found)


def _exit_code(task: Any, service: str) -> int | None:
    return next((each.get("exitCode") for each in task["containers"] if each["name"] == service), None)


def _stopped(task: Any) -> str:
    reasons = (task.get("stoppedReason"), *(each.get("reason") for each in task["containers"]))
    return "; ".join(dict.fromkeys(printable(each) for each in reasons if each)) or "ECS gives no reason"


def _failed(service: str, how: str, details: Sequence[str]) -> ReleaseFailedError:
    failure = ReleaseFailedError(
        f"before_deploy of {service} {how.rstrip('.')}; nothing was deployed.", details
    )
    failure.service = service
    return failure
