"""ECS on the embedded AWS: what it fills in, keeps and refuses, so that a second plan says what AWS would."""

from collections.abc import Mapping
from typing import Any, Final

import pytest
from botocore.exceptions import ClientError

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


@pytest.mark.parametrize(
    ("service", "refused"),
    [
        ({"launchType": "FARGATE"}, "both a launch type and capacity provider strategy"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE_SPOT", "weight": 1}]}, "not associated"),
        ({"capacityProviderStrategy": [{"capacityProvider": "FARGATE"}]}, "weight value greater than zero"),
    ],
)
def test_ecs_refuses_a_capacity_provider_strategy_that_cannot_place_a_task(
    embedded: Embedded, service: dict[str, Any], refused: str
) -> None:
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="capacity", capacityProviders=["FARGATE"])
    container: Any = {"name": "web", "image": "i", "memory": 128}
    ecs.register_task_definition(family="placed", containerDefinitions=[container])
    fits = {"capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 1}]}
    named = {"cluster": "capacity", "serviceName": "web", "taskDefinition": "placed", "desiredCount": 1}
    with pytest.raises(ClientError, match=refused):
        ecs.create_service(**named, **{**fits, **service})


def test_an_ecs_service_keeps_its_settings(embedded: Embedded) -> None:
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="kept", capacityProviders=["FARGATE"])
    ecs.register_task_definition(
        family="kept", containerDefinitions=[{"name": "web", "image": "i", "memory": 128}]
    )
    percents = {"maximumPercent": 200, "minimumHealthyPercent": 100}
    settings = {
        "availabilityZoneRebalancing": "ENABLED",
        "capacityProviderStrategy": [{"capacityProvider": "FARGATE", "weight": 100, "base": 0}],
        "deploymentConfiguration": percents,
        "enableECSManagedTags": True,
        "healthCheckGracePeriodSeconds": 30,
    }
    ecs.create_service(cluster="kept", serviceName="web", taskDefinition="kept", desiredCount=1, **settings)
    found = ecs.describe_services(cluster="kept", services=["web"])["services"][0]
    assert {name: found[name] for name in settings} == settings
    alarms = {"alarms": {"alarmNames": ["a"], "enable": False, "rollback": False}}
    ecs.update_service(
        cluster="kept", service="web", healthCheckGracePeriodSeconds=40, deploymentConfiguration=alarms
    )
    found = ecs.describe_services(cluster="kept", services=["web"])["services"][0]
    assert found["healthCheckGracePeriodSeconds"] == 40
    assert found["deploymentConfiguration"] == {**percents, **alarms}


def test_an_ecs_service_is_steady_with_as_many_tasks_as_desired(embedded: Embedded) -> None:
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="steady")
    revisions = [
        ecs.register_task_definition(
            family="steady", containerDefinitions=[{"name": "web", "image": image, "memory": 128}]
        )["taskDefinition"]["taskDefinitionArn"]
        for image in ("former", "latter")
    ]

    def look() -> dict[str, Any]:
        (service,) = ecs.describe_services(cluster="steady", services=["web"])["services"]
        (deployment,) = service["deployments"]
        (cluster,) = ecs.describe_clusters(clusters=["steady"])["clusters"]
        assert (cluster["runningTasksCount"], cluster["pendingTasksCount"]) == (service["desiredCount"], 0)
        for told in (service, deployment):
            assert (told["runningCount"], told["pendingCount"]) == (service["desiredCount"], 0)
            assert told["taskDefinition"] == service["taskDefinition"]
        assert deployment["rolloutState"] == "COMPLETED"
        assert deployment["id"] in deployment["rolloutStateReason"]
        return dict(deployment)

    ecs.create_service(cluster="steady", serviceName="web", taskDefinition=revisions[0], desiredCount=2)
    first = look()
    assert (first["desiredCount"], first["taskDefinition"]) == (2, revisions[0])
    ecs.update_service(cluster="steady", service="web", desiredCount=3)
    scaled = look()
    assert scaled["desiredCount"] == 3
    assert (scaled["id"], scaled["createdAt"]) == (first["id"], first["createdAt"])
    ecs.update_service(cluster="steady", service="web", taskDefinition=revisions[1])
    second = look()
    assert (second["desiredCount"], second["taskDefinition"]) == (3, revisions[1])
    assert second["id"] != first["id"]
    assert second["createdAt"] > first["createdAt"]
    ecs.update_service(cluster="steady", service="web", forceNewDeployment=True)
    assert look()["id"] not in (first["id"], second["id"])


def test_autoscaling_targets_keep_their_tags(embedded: Embedded) -> None:
    ecs = embedded.client("ecs", REGION)
    ecs.create_cluster(clusterName="scaled")
    ecs.register_task_definition(
        family="scaled", containerDefinitions=[{"name": "web", "image": "i", "memory": 128}]
    )
    ecs.create_service(cluster="scaled", serviceName="web", taskDefinition="scaled", desiredCount=1)
    autoscaling = embedded.client("application-autoscaling", REGION)
    target = {
        "ServiceNamespace": "ecs",
        "ResourceId": "service/scaled/web",
        "ScalableDimension": "ecs:service:DesiredCount",
    }
    arn = autoscaling.register_scalable_target(
        **target, MinCapacity=1, MaxCapacity=2, Tags={"owner": "a", "project": "p"}
    )["ScalableTargetARN"]
    assert autoscaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"owner": "a", "project": "p"}
    autoscaling.tag_resource(ResourceARN=arn, Tags={"owner": "b", "new": "n"})
    autoscaling.untag_resource(ResourceARN=arn, TagKeys=["project"])
    assert autoscaling.list_tags_for_resource(ResourceARN=arn)["Tags"] == {"owner": "b", "new": "n"}
    autoscaling.deregister_scalable_target(**target)
    with pytest.raises(autoscaling.exceptions.ResourceNotFoundException):
        autoscaling.list_tags_for_resource(ResourceARN=arn)
