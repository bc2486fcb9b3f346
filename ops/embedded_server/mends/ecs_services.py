"""Settings of an ECS service that moto drops when it creates one.

Among them are the capacity provider strategy and the deployment configuration; without them
Terraform would replace every service each time it looks. Source of their names: Amazon ECS API
Reference, "CreateService" and "Service".
"""

from typing import Final, cast

from botocore import xform_name
from moto.core.responses import ActionResult
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse

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


def keep_service_settings() -> None:
    """Have moto keep what CreateService is given; call it before the server answers."""
    setattr(EC2ContainerServiceResponse, create_service.__name__, create_service)


def create_service(response: EC2ContainerServiceResponse) -> ActionResult:
    """moto's CreateService, which forgets part of what it is given. Its UpdateService does not."""
    answer = _create_service(response)
    service = cast(dict[str, Service], answer.result)["service"]
    for name in _DROPPED:
        if (value := response._get_param(name)) is not None:
            setattr(service, xform_name(name), value)
    if response._get_param("capacityProviderStrategy"):
        # A service has either; moto makes EC2 of neither.
        service.launch_type = None
    return answer
