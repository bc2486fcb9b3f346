"""What the embedded AWS fills in and refuses as AWS does, so that a second plan there says what AWS would."""

from collections.abc import Mapping
from typing import Any, Final

import pytest

from ops.local.embedded import Embedded
from tests.ops.conftest import REGION
from tests.stacks.terraform_json import stacks_of_tests

_LISTS: Final = (
    "command",
    "dependsOn",
    "entryPoint",
    "environment",
    "mountPoints",
    "portMappings",
    "secrets",
    "systemControls",
    "ulimits",
    "volumesFrom",
)


def reduced(container: Mapping[str, Any]) -> dict[str, Any]:
    """What the provider compares of a container definition; CPU units of 0 and none are the same to it.

    Source: terraform-provider-aws 5.100, `containerDefinitionsAreEquivalent`.
    """
    compared = {"cpu": 0, "essential": True, **container}
    compared["portMappings"] = [
        {key: value for key, value in {"hostPort": port["containerPort"], **port}.items() if value != "tcp"}
        for port in container.get("portMappings", ())
    ]
    for ordered in ("environment", "secrets"):
        compared[ordered] = sorted(container.get(ordered, ()), key=lambda item: str(item["name"]))
    return {key: value for key, value in compared.items() if key not in _LISTS or value}


def registered(embedded: Embedded, container: Mapping[str, Any]) -> dict[str, Any]:
    ecs = embedded.client("ecs", REGION)
    ecs.register_task_definition(
        family="filled",
        requiresCompatibilities=["FARGATE"],
        networkMode="awsvpc",
        cpu="256",
        memory="512",
        containerDefinitions=[container],
    )
    (answered,) = ecs.describe_task_definition(taskDefinition="filled")["taskDefinition"][
        "containerDefinitions"
    ]
    return dict(answered)


@pytest.mark.parametrize("stack", ["dev-service", "prod-service"])
def test_no_default_of_ecs_makes_the_provider_replace_the_task_definition(
    embedded: Embedded, stack: str
) -> None:
    container = stacks_of_tests()[stack].container()
    assert reduced(registered(embedded, container)) == reduced(container)


def test_ecs_fills_in_what_a_container_leaves_out(embedded: Embedded) -> None:
    given = {
        "name": "web",
        "image": "i",
        "portMappings": [{"containerPort": 8000}],
        "healthCheck": {"command": ["CMD", "true"], "timeout": 2},
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
    }
    answered = registered(embedded, given)
    assert answered == {
        **given,
        "cpu": 0,
        "essential": True,
        "environment": [],
        "mountPoints": [],
        "portMappings": [{"containerPort": 8000, "hostPort": 8000, "protocol": "tcp"}],
        "systemControls": [],
        "volumesFrom": [],
        "healthCheck": {"command": ["CMD", "true"], "interval": 30, "retries": 3, "timeout": 2},
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"add": [], "drop": ["ALL"]}},
    }
    # Which the provider takes for a difference, as it would on AWS.
    assert reduced(answered) != reduced(given)


def test_ecs_answers_no_capabilities_when_none_are_named(embedded: Embedded) -> None:
    given = {"name": "web", "image": "i", "linuxParameters": {"initProcessEnabled": True, "capabilities": {}}}
    assert registered(embedded, given)["linuxParameters"] == {"initProcessEnabled": True}
