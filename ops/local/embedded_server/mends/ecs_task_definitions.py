"""Task definitions: defaults that ECS fills in when it registers one, and moto leaves out.

Terraform compares container definitions with what ECS answers, and replaces the task definition when
they differ. The provider itself evens out lists directly in a container, ports and protocols, but no
list within `linuxParameters`: ECS answers both lists of `capabilities` when it is given one. Sources:
Amazon ECS API Reference, "ContainerDefinition", "HealthCheck", "PortMapping" and "KernelCapabilities";
for the empty lists, terraform-aws-modules/terraform-aws-ecs pull request 176 and
braintrustdata/terraform-aws-braintrust-data-plane pull request 335.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from moto.ecs.models import EC2ContainerServiceBackend, TaskDefinition

_CONTAINER: Final[Mapping[str, list[str]]] = {"systemControls": []}
"""What moto lacks; it fills in the other lists of a container."""
_HEALTH_CHECK: Final = {"interval": 30, "retries": 3, "timeout": 5}
_CAPABILITIES: Final[Mapping[str, list[str]]] = {"add": [], "drop": []}

_register = EC2ContainerServiceBackend.register_task_definition


def fill_in_containers() -> None:
    """Mend moto's RegisterTaskDefinition; call it before the server answers."""
    setattr(EC2ContainerServiceBackend, _register.__name__, register_task_definition)


def register_task_definition(
    backend: EC2ContainerServiceBackend,
    family: str,
    container_definitions: Sequence[Mapping[str, Any]],
    **settings: Any,
) -> TaskDefinition:
    """Registers a task definition with ECS's defaults."""
    return _register(backend, family, [filled_in(each) for each in container_definitions], **settings)


def filled_in(container: Mapping[str, Any]) -> dict[str, Any]:
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
