"""ECS services and task definitions: settings that moto drops, mistakes that it takes, tasks that never run.

Among the settings of a service are the capacity provider strategy and the deployment configuration; without
them Terraform would replace every service each time it looks. Source of their names: Amazon ECS API
Reference, "CreateService" and "Service".

Nothing runs here, but on AWS a service soon gets steady: as many tasks run as are desired, and its
deployment is complete. moto leaves it pending for ever, and its deployment at the first task
definition; here it is steady at once. Source: Amazon ECS API Reference, "Deployment".

moto accepts any capacity provider strategy; AWS refuses one beside a launch type, one that names a
provider which the cluster does not have, and one without a weight. Source: Amazon ECS API Reference,
"CreateService" and "CapacityProviderStrategyItem"; the errors as terraform-linters/tflint-ruleset-aws
issue 349, dask/dask-cloudprovider issue 328 and terraform-aws-modules/terraform-aws-ecs issue 27 quote
them. It also accepts target groups that no listener uses; AWS refuses them. Source: Amazon ECS API Reference,
"LoadBalancer", and the error as hashicorp/terraform issue 32908 quotes it.

ECS fills in defaults when it registers a task definition, and moto leaves them out. Terraform compares
container definitions with what ECS answers, and replaces the task definition when they differ. The provider
itself evens out lists directly in a container, ports and protocols, but no list within `linuxParameters`: ECS
answers both lists of `capabilities` when it is given one. Sources: Amazon ECS API Reference,
"ContainerDefinition", "HealthCheck", "PortMapping" and "KernelCapabilities"; for the empty lists,
terraform-aws-modules/terraform-aws-ecs pull request 176 and
braintrustdata/terraform-aws-braintrust-data-plane pull request 335.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, cast

from botocore import xform_name
from moto.core.responses import ActionResult
from moto.core.utils import utcnow
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service, TaskDefinition
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.elbv2.models import elbv2_backends
from moto.moto_api._internal import mock_random

from ops.local.embedded_server.patching import patch

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
_CONTAINER: Final[Mapping[str, list[str]]] = {"systemControls": []}
"""What moto lacks; it fills in the other lists of a container."""
_HEALTH_CHECK: Final = {"interval": 30, "retries": 3, "timeout": 5}
_CAPABILITIES: Final[Mapping[str, list[str]]] = {"add": [], "drop": []}

_create_service = EC2ContainerServiceResponse.create_service
_update_service = EC2ContainerServiceBackend.update_service
_register = EC2ContainerServiceBackend.register_task_definition


def mend() -> None:
    """Mends moto's services and task definitions."""
    patch(EC2ContainerServiceResponse, create_service)
    patch(EC2ContainerServiceBackend, update_service, register_task_definition)


def create_service(response: EC2ContainerServiceResponse) -> ActionResult:
    """Creates a service that ECS takes; moto forgets part of what it is given, unlike in UpdateService."""
    if strategy := response._get_param("capacityProviderStrategy"):
        _check_strategy(response, strategy)
    _check_target_groups(response)
    answer = _create_service(response)
    service = cast(dict[str, Service], answer.result)["service"]
    for name in _DROPPED:
        if (value := response._get_param(name)) is not None:
            setattr(service, xform_name(name), value)
    if strategy:
        # A service has either; moto makes EC2 of neither.
        service.launch_type = None
    response.ecs_backend.update_service({"cluster": service.cluster_name, "service": service.name})
    return answer


def _check_strategy(response: EC2ContainerServiceResponse, strategy: list[dict[str, Any]]) -> None:
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


def _check_target_groups(response: EC2ContainerServiceResponse) -> None:
    balancers = elbv2_backends[response.current_account][response.region]
    for each in response._get_param("loadBalancers") or ():
        arn = each.get("targetGroupArn")
        if arn and not balancers._any_listener_using(arn):
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
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


def register_task_definition(
    backend: EC2ContainerServiceBackend,
    family: str,
    container_definitions: Sequence[Mapping[str, Any]],
    **settings: Any,
) -> TaskDefinition:
    """Registers a task definition with ECS's defaults."""
    return _register(backend, family, [_filled_in(each) for each in container_definitions], **settings)


def _filled_in(container: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a container definition of a task on Fargate with ECS's defaults."""
    filled: dict[str, Any] = {**_CONTAINER, **container}
    filled["portMappings"] = [
        {"hostPort": port.get("containerPort"), "protocol": "tcp", **port}
        for port in container.get("portMappings", ())
    ]
    if check := container.get("healthCheck"):
        filled["healthCheck"] = {**_HEALTH_CHECK, **check}
    if parameters := container.get("linuxParameters"):
        filled["linuxParameters"] = {key: value for key, value in parameters.items() if value != {}}
        if capabilities := parameters.get("capabilities"):
            filled["linuxParameters"]["capabilities"] = {**_CAPABILITIES, **capabilities}
    return filled
