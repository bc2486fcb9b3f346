"""Checks the tasks of the ECS service, and which release is deployed."""

from datetime import UTC
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BaseModel, Field

from webapp.services import Check, Format, Grant, Resource, ServiceName
from webapp.states import Detail, Finding, State

if TYPE_CHECKING:
    from types_aiobotocore_ecs import ECSClient
    from types_aiobotocore_ecs.type_defs import DeploymentTypeDef, ServiceTypeDef

    from webapp.settings import Settings

_NAME: Final = Format(r"[a-zA-Z0-9_-]{1,255}")
"""Source: Amazon ECS API Reference, "CreateService"."""


class TaskVariables(BaseModel):
    """The variables of this check."""

    cluster: Annotated[str, _NAME] = Field(min_length=1, description="the name of an ECS cluster")
    """Name of the ECS cluster the app runs in."""

    ecs_service: Annotated[str, _NAME] = Field(min_length=1, description="the name of an ECS service")
    """Name of the ECS service that keeps the app's tasks running."""


class TaskCheck:
    """Checks the ECS service, and caches the digest of the latest task definition.

    A revision of a task definition is immutable, so it is read once. Source: Amazon ECS Developer Guide,
    "Amazon ECS task definitions".
    """

    def __init__(self) -> None:
        self._task_definition: str | None = None
        self._digest: str | None = None

    async def check(self, ecs: "ECSClient", settings: "Settings") -> Finding:
        """Returns operational if all desired tasks run or start, also during a healthy deployment.

        Deployments and scaling alone do not degrade it: starting tasks count as long as others run.
        Unknown while the very first tasks start: the app then runs before ECS counts its task as running.

        Details: tasks `running`, `desired` and `pending`; `rollout`, `deployed_at` (UTC, RFC 3339) and
        `digest` of the primary deployment, None where ECS reports none. Raises `AwsError`.
        """
        from webapp.calls import call_aws

        answer = await call_aws(
            "ecs:DescribeServices",
            ecs.describe_services(cluster=settings.cluster, services=[settings.ecs_service]),
        )
        if not answer["services"]:
            return Finding(State.DOWN, "The service does not exist.")
        service = answer["services"][0]
        deployment = _primary(service)
        digest = await self._digest_of(deployment, ecs, settings) if deployment else None
        return _finding(service, deployment, digest, settings.digest)

    async def _digest_of(
        self, deployment: "DeploymentTypeDef", ecs: "ECSClient", settings: "Settings"
    ) -> str | None:
        from webapp.calls import AwsError, call_aws

        task_definition = deployment["taskDefinition"]
        if task_definition != self._task_definition:
            try:
                answer = await call_aws(
                    "ecs:DescribeTaskDefinition",
                    ecs.describe_task_definition(taskDefinition=task_definition),
                )
            except AwsError:
                return None
            images = {
                item["name"]: item["image"] for item in answer["taskDefinition"]["containerDefinitions"]
            }
            self._digest = images.get(settings.service, "").partition("@")[2] or None
            self._task_definition = task_definition
        return self._digest


def _primary(service: "ServiceTypeDef") -> "DeploymentTypeDef | None":
    return next((item for item in service["deployments"] if item["status"] == "PRIMARY"), None)


def _finding(
    service: "ServiceTypeDef", deployment: "DeploymentTypeDef | None", digest: str | None, own_digest: str
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


CHECK: Final = Check(
    name=ServiceName.ECS,
    title="ECS",
    purpose="Tasks",
    missing="The cluster does not exist.",
    client="ecs",
    grants=(
        Grant("CheckTasks", ("ecs:DescribeServices",), Resource.ECS_SERVICE),
        Grant("ReadDeployedImage", ("ecs:DescribeTaskDefinition",), Resource.ANY),
    ),
    run=TaskCheck().check,
)
