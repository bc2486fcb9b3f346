"""Looks at the tasks of ECS services, and at which release is deployed: a part of several checks."""

from datetime import UTC
from typing import TYPE_CHECKING, Final

from webapp.check import Grant, Resource
from webapp.components import Component
from webapp.states import Detail, Finding, State

if TYPE_CHECKING:
    from types_aiobotocore_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef

    from webapp.aws import Clients
    from webapp.settings import Settings


class Tasks:
    """Looks at ECS services, and caches the digest of the latest task definition of each.

    A revision of a task definition is immutable, so it is read once. Source: Amazon ECS Developer Guide,
    "Amazon ECS task definitions".
    """

    def __init__(self) -> None:
        self._known: dict[str, tuple[str, str | None]] = {}

    async def look(
        self, clients: "Clients", component: Component, settings: "Settings"
    ) -> tuple["ServiceTypeDef | None", Finding]:
        """Returns the service, None if there is none, and a finding.

        It is operational if all desired tasks run or start, also during a healthy deployment, and if none is
        desired.

        Deployments and scaling alone do not degrade it: starting tasks count as long as others run.
        Unknown while the very first tasks start: the app then runs before ECS counts its task as running.

        Details: tasks `running`, `desired` and `pending`; `rollout`, `deployed_at` (UTC, RFC 3339) and
        `digest` of the primary deployment, None where ECS reports none. Raises `AwsError`.
        """
        from webapp.calls import call_aws

        answer = await call_aws(
            "ecs:DescribeServices",
            clients.of("ecs").describe_services(cluster=settings.cluster, services=[component.resource]),
        )
        if not answer["services"]:
            return None, Finding(State.DOWN, "The service does not exist.")
        service = answer["services"][0]
        deployment = _primary(service)
        digest = await self._digest_of(deployment, clients, component) if deployment else None
        own = settings.digest if component.id == settings.own_id else digest
        return service, _finding(service, deployment, digest, own)

    async def _digest_of(
        self, deployment: "DeploymentTypeDef", clients: "Clients", component: Component
    ) -> str | None:
        from webapp.calls import AwsError, call_aws

        task_definition = deployment["taskDefinition"]
        known, digest = self._known.get(component.id, ("", None))
        if task_definition != known:
            try:
                answer = await call_aws(
                    "ecs:DescribeTaskDefinition",
                    clients.of("ecs").describe_task_definition(taskDefinition=task_definition),
                )
            except AwsError:
                return None
            images = {
                item["name"]: item["image"] for item in answer["taskDefinition"]["containerDefinitions"]
            }
            # The container of a service has the service's name.
            digest = images.get(component.word, "").partition("@")[2] or None
            self._known[component.id] = (task_definition, digest)
        return digest


def _primary(service: "ServiceTypeDef") -> "DeploymentTypeDef | None":
    return next((item for item in service["deployments"] if item["status"] == "PRIMARY"), None)


def _finding(
    service: "ServiceTypeDef",
    deployment: "DeploymentTypeDef | None",
    digest: str | None,
    own_digest: str | None,
) -> Finding:
    state, sentence = _judgement(service, deployment)
    running, desired = service["runningCount"], service["desiredCount"]
    message = f"{sentence} Tasks: {running} running, {desired} desired."
    if digest is not None and digest != own_digest:
        message += " Another release than this task's is deployed."
    details: dict[str, Detail] = {
        "running": running,
        "desired": desired,
        "pending": service["pendingCount"],
        "rollout": deployment.get("rolloutState") if deployment else None,
        "deployed_at": (
            f"{deployment['createdAt'].astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if deployment else None
        ),
        "digest": digest,
    }
    return Finding(state, message, details)


def _judgement(service: "ServiceTypeDef", deployment: "DeploymentTypeDef | None") -> tuple[State, str]:
    """Returns the state and its reason.

    Source: Amazon ECS API Reference, "Service" and "Deployment": rolloutState, failedTasks.
    """
    if service["status"] != "ACTIVE":
        return State.DOWN, f"The service is {service['status']}."
    running, desired = service["runningCount"], service["desiredCount"]
    # Deployments by another controller than ECS have neither.
    rollout = deployment.get("rolloutState", "COMPLETED") if deployment else "COMPLETED"
    failed = deployment.get("failedTasks", 0) if deployment else 0
    deploying, missing = rollout == "IN_PROGRESS", running + service["pendingCount"] < desired
    if running == 0 < desired:
        first = deploying and not failed and not missing and len(service["deployments"]) == 1
        return (State.UNKNOWN, "The first tasks start.") if first else (State.DOWN, "No task runs.")
    if not desired and not running:
        return State.OPERATIONAL, "It is scaled to zero."
    if rollout == "FAILED":
        return State.DEGRADED, "The last deployment failed."
    if deploying and failed:
        return State.DEGRADED, "Tasks of the deployment in progress fail."
    if missing:
        return State.DEGRADED, "Some tasks are missing."
    if deploying:
        return State.OPERATIONAL, "A deployment is in progress."
    if running < desired:
        return State.OPERATIONAL, "More tasks start."
    return State.OPERATIONAL, "The deployment is complete."


GRANTS: Final = (
    Grant("CheckTasks", ("ecs:DescribeServices",), Resource.SERVICES),
    Grant("ReadDeployedImage", ("ecs:DescribeTaskDefinition",), Resource.ANY),
)
MISSING: Final = "The cluster does not exist."

look: Final = Tasks().look
