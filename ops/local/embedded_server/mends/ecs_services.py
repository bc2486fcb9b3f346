"""ECS services: settings that moto drops when it creates one, and tasks that never come to run.

Among the settings are the capacity provider strategy and the deployment configuration; without them
Terraform would replace every service each time it looks. Source of their names: Amazon ECS API
Reference, "CreateService" and "Service".

Nothing runs here, but on AWS a service soon gets steady: as many tasks run as are desired, and its
deployment is complete. moto leaves it pending for ever, and its deployment at the first task
definition; here it is steady at once. Source: Amazon ECS API Reference, "Deployment".

moto accepts any capacity provider strategy; AWS refuses one beside a launch type, one that names a
provider which the cluster does not have, and one without a weight. Source: Amazon ECS API Reference,
"CreateService" and "CapacityProviderStrategyItem"; the errors as terraform-linters/tflint-ruleset-aws
issue 349, dask/dask-cloudprovider issue 328 and terraform-aws-modules/terraform-aws-ecs issue 27 quote
them.
"""

from typing import Any, Final, cast

from botocore import xform_name
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.moto_api._internal import mock_random

_DROPPED: Final = (
    "availabilityZoneRebalancing",
    "capacityProviderStrategy",
    "deploymentConfiguration",
    "enableECSManagedTags",
    "enableExecuteCommand",
    "healthCheckGracePeriodSeconds",
    "placementConstraints",
    "placementStrategy",
)
_create_service = EC2ContainerServiceResponse.create_service
_update_service = EC2ContainerServiceBackend.update_service


def keep_service_settings() -> None:
    """Have moto keep what CreateService is given; call it before the server answers."""
    setattr(EC2ContainerServiceResponse, create_service.__name__, create_service)


def keep_services_steady() -> None:
    """Have as many tasks run as are desired, at all times; call it before the server answers."""
    setattr(EC2ContainerServiceBackend, update_service.__name__, update_service)


def create_service(response: EC2ContainerServiceResponse) -> ActionResult:
    """moto's CreateService, which forgets part of what it is given. Its UpdateService does not."""
    if strategy := response._get_param("capacityProviderStrategy"):
        _check(response, strategy)
    answer = _create_service(response)
    service = cast(dict[str, Service], answer.result)["service"]
    for name in _DROPPED:
        if (value := response._get_param(name)) is not None:
            setattr(service, xform_name(name), value)
    if response._get_param("capacityProviderStrategy"):
        # A service has either; moto makes EC2 of neither.
        service.launch_type = None
    response.ecs_backend.update_service({"cluster": service.cluster_name, "service": service.name})
    return answer


def _check(response: EC2ContainerServiceResponse, strategy: list[dict[str, Any]]) -> None:
    if response._get_param("launchType"):
        raise InvalidParameterException(
            "Specifying both a launch type and capacity provider strategy is not supported. Remove one and "
            "try again."
        )
    cluster = response.ecs_backend._get_cluster(response._get_param("cluster", "default"))
    if {each["capacityProvider"] for each in strategy} - {*(cluster.capacity_providers or ())}:
        raise InvalidParameterException(
            "The specified capacity provider strategy cannot contain a capacity provider that is not "
            "associated with the cluster. Associate the capacity provider with the cluster or specify a "
            "valid capacity provider and try again."
        )
    if not any(each.get("weight") for each in strategy):
        raise InvalidParameterException(
            "There are no capacity providers with a weight value greater than zero defined in the capacity "
            "provider strategy. Specify a valid capacity provider strategy and try again."
        )


def update_service(backend: EC2ContainerServiceBackend, properties: dict[str, Any]) -> Service:
    """moto's UpdateService, after which the service is steady.

    It replaces only what it is given of a deployment configuration, as AWS does: the provider sends what
    has changed. Source: aws/copilot-cli pull request 4565.
    A new deployment begins when another task definition is given, or when one is demanded.
    """
    former = backend._get_service(properties.get("cluster", "default"), properties["service"])
    # moto takes the desired count for the running one, but only when it is told one.
    if properties.get("desired_count") is None:
        properties = {**properties, "desired_count": former.desired_count}
    if given := properties.get("deployment_configuration"):
        kept = getattr(former, "deployment_configuration", None) or {}
        properties = {**properties, "deployment_configuration": {**kept, **given}}
    service = _update_service(backend, properties)
    for deployment in service.deployments:
        if deployment["taskDefinition"] != service.task_definition:
            deployment["id"] = f"ecs-svc/{mock_random.randint(0, 32**12)}"
            deployment["createdAt"] = utcnow()
        deployment |= {
            "desiredCount": service.desired_count,
            "pendingCount": service.pending_count,
            "rolloutState": "COMPLETED",
            "rolloutStateReason": f"ECS deployment {deployment['id']} completed.",
            "runningCount": service.running_count,
            "taskDefinition": service.task_definition,
            "updatedAt": utcnow(),
        }
    return service
