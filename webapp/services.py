"""The AWS services that the app uses and keeps an eye on."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class ServiceName(StrEnum):
    """A service as paths, queries and keys name it. The order is that of the page."""

    DYNAMODB = "dynamodb"
    ECS = "ecs"
    ECR = "ecr"
    CLOUDWATCH = "cloudwatch"
    LOGS = "logs"
    STS = "sts"


TITLES: Final[Mapping[ServiceName, str]] = {
    ServiceName.DYNAMODB: "DynamoDB",
    ServiceName.ECS: "ECS",
    ServiceName.ECR: "ECR",
    ServiceName.CLOUDWATCH: "CloudWatch",
    ServiceName.LOGS: "CloudWatch Logs",
    ServiceName.STS: "STS",
}
"""What people call them."""

PURPOSES: Final[Mapping[ServiceName, str]] = {
    ServiceName.DYNAMODB: "Table",
    ServiceName.ECS: "Tasks",
    ServiceName.ECR: "Image",
    ServiceName.CLOUDWATCH: "Alarms",
    ServiceName.LOGS: "Logs",
    ServiceName.STS: "Identity",
}
"""What each is to the app, in a word."""
