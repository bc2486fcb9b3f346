"""Puts what the app uses into an embedded AWS, by AWS's own API."""

import functools
import json
from typing import Any

from ops.core.clients import Credentials, isolated_client
from tests.webapp.environment import (
    ALARM_PREFIX,
    CLUSTER,
    DIGEST,
    ECS_SERVICE,
    IMAGE,
    REGION,
    REPOSITORY,
    TABLE,
    WORKER,
)
from webapp.contract import PARTITION_KEY, SORT_KEY

_MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"


@functools.cache
def aws(service: str, url: str) -> Any:
    """A client of one service of an embedded AWS."""
    return isolated_client(service, REGION, url, Credentials("test", "test"))


def furnish(url: str) -> None:
    """Everything that the tests' environment names, in good order."""
    put_table(url, TABLE)
    put_service(url, CLUSTER, ECS_SERVICE, IMAGE)
    put_service(url, CLUSTER, WORKER, IMAGE)
    put_image(url, REPOSITORY, DIGEST)
    put_alarms(url, ALARM_PREFIX, "cpu", "memory")


def put_table(url: str, name: str) -> None:
    """A table with the contract's keys."""
    aws("dynamodb", url).create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            {"AttributeName": PARTITION_KEY, "AttributeType": "S"},
            {"AttributeName": SORT_KEY, "AttributeType": "S"},
        ],
        KeySchema=[
            {"AttributeName": PARTITION_KEY, "KeyType": "HASH"},
            {"AttributeName": SORT_KEY, "KeyType": "RANGE"},
        ],
    )


def put_service(url: str, cluster: str, service: str, image: str, tasks: int = 1) -> None:
    """A cluster and a service in it, whose tasks run.

    moto completes the deployment of a service that wants no task, and later runs what it wants.
    """
    put_pending_service(url, cluster, service, image, tasks=0)
    aws("ecs", url).update_service(cluster=cluster, service=service, desiredCount=tasks)


def put_pending_service(url: str, cluster: str, service: str, image: str, tasks: int) -> None:
    """A cluster and a service in it, whose first deployment goes on: none of its tasks runs yet."""
    ecs = aws("ecs", url)
    ecs.create_cluster(clusterName=cluster)
    container = {"name": "web", "image": image, "memory": 128}
    ecs.register_task_definition(family=service, containerDefinitions=[container])
    ecs.create_service(cluster=cluster, serviceName=service, taskDefinition=service, desiredCount=tasks)


def put_image(url: str, repository: str, digest: str) -> None:
    """A repository with an image that was not scanned yet."""
    ecr = aws("ecr", url)
    ecr.create_repository(repositoryName=repository)
    ecr.put_image(
        repositoryName=repository,
        imageManifest=json.dumps({"mediaType": _MANIFEST_TYPE}),
        imageTag="released",
        imageDigest=digest,
    )


def put_alarms(url: str, prefix: str, *names: str) -> None:
    """Alarms with these names, all of them quiet."""
    for name in names:
        aws("cloudwatch", url).put_metric_alarm(
            AlarmName=f"{prefix}{name}",
            Namespace="AWS/ECS",
            MetricName="CPUUtilization",
            Statistic="Average",
            Period=60,
            EvaluationPeriods=1,
            ComparisonOperator="GreaterThanThreshold",
            Threshold=90,
        )
        raise_alarm(url, f"{prefix}{name}", "OK")


def raise_alarm(url: str, name: str, state: str = "ALARM") -> None:
    """Sets the state of an alarm."""
    aws("cloudwatch", url).set_alarm_state(AlarmName=name, StateValue=state, StateReason="a test")
