"""The AWS services that tasks reach: tables, buckets, queues, secrets, logs, images."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from diagram.configuration import Configuration, Resource, blocks, document


@dataclass(frozen=True, slots=True, order=True)
class Store:
    """A named resource outside the VPC. `service` is its part of an endpoint's name or an ARN."""

    kind: str
    name: str
    service: str
    keeps_data: bool = True


_TYPES: Final = {
    # Type: (words, service, keeps data, arguments that name it)
    "aws_dynamodb_table": ("DynamoDB table", "dynamodb", True, ("name",)),
    "aws_db_instance": ("RDS database", "rds", True, ("identifier",)),
    "aws_rds_cluster": ("RDS cluster", "rds", True, ("cluster_identifier",)),
    "aws_elasticache_replication_group": ("ElastiCache", "elasticache", True, ("replication_group_id",)),
    "aws_efs_file_system": ("EFS file system", "elasticfilesystem", True, ("creation_token",)),
    "aws_s3_bucket": ("S3 bucket", "s3", True, ("bucket",)),
    "aws_sqs_queue": ("SQS queue", "sqs", True, ("name",)),
    "aws_kinesis_stream": ("Kinesis stream", "kinesis", True, ("name",)),
    "aws_sns_topic": ("SNS topic", "sns", False, ("name",)),
    "aws_ecr_repository": ("ECR repository", "ecr", True, ("name",)),
    "aws_cloudwatch_log_group": ("Log group", "logs", False, ("name",)),
    "aws_secretsmanager_secret": ("Secret", "secretsmanager", False, ("name",)),
    "aws_ssm_parameter": ("SSM parameter", "ssm", False, ("name",)),
    "aws_kms_key": ("KMS key", "kms", False, ("description",)),
}
_ARN: Final = re.compile(r"arn:aws[a-z-]*:(\w+):[^:]*:[^:]*:(.+)")
_ARN_NAMES: Final = {
    # Service: (type, what stands before the name)
    "dynamodb": ("aws_dynamodb_table", "table/"),
    "ecr": ("aws_ecr_repository", "repository/"),
    "s3": ("aws_s3_bucket", ""),
    "sqs": ("aws_sqs_queue", ""),
    "kinesis": ("aws_kinesis_stream", "stream/"),
    "sns": ("aws_sns_topic", ""),
    "secretsmanager": ("aws_secretsmanager_secret", "secret:"),
    "ssm": ("aws_ssm_parameter", "parameter/"),
}


def store_of(configuration: Configuration, resource: Resource) -> Store | None:
    """Returns a resource or data source as a store, or None."""
    if resource.type not in _TYPES:
        return None
    kind, service, keeps_data, arguments = _TYPES[resource.type]
    texts = (configuration.text(resource.stack, resource.body.get(each)) for each in arguments)
    name = next((text for text in texts if text), resource.address.rpartition(".")[2])
    return Store(kind, name.strip("/") if resource.type == "aws_ssm_parameter" else name, service, keeps_data)


def all_stores(configuration: Configuration) -> list[Store]:
    """Returns the stores that the stacks create, in a stable order."""
    found = (store_of(configuration, resource) for resource in configuration.all(*_TYPES))
    return sorted({store for store in found if store})


def stores_in(configuration: Configuration, stack: str, value: Any) -> Iterator[Store]:
    """Yields the stores that a value refers to, or names by ARN in a policy's resources or as a secret."""
    for resource in configuration.references_in(stack, value):
        if store := store_of(configuration, resource):
            yield store
    for text in _arns(value):
        if store := _of_arn(configuration.text(stack, text) or ""):
            yield store


def _arns(value: Any) -> Iterator[str]:
    parsed = document(value)
    for block in blocks(parsed):
        for statement in blocks(block.get("Statement")):
            resources = statement.get("Resource", [])
            yield from filter(_is_text, resources if isinstance(resources, list) else [resources])
        for secret in blocks(block.get("secrets")):
            if isinstance(secret.get("valueFrom"), str):
                yield secret["valueFrom"]


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _of_arn(text: str) -> Store | None:
    found = _ARN.fullmatch(text)
    if found is None or found[1] not in _ARN_NAMES:
        return None
    resource_type, start = _ARN_NAMES[found[1]]
    name = found[2].removeprefix(start)
    if found[1] in {"dynamodb", "s3"}:
        name = name.partition("/")[0]
    if not found[2].startswith(start) or not name.strip("*/"):
        return None
    kind, service, keeps_data, _ = _TYPES[resource_type]
    return Store(kind, name, service, keeps_data)
