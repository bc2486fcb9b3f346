"""Load balancers: names, log buckets and target groups that AWS refuses, and moto takes.

Sources: Elastic Load Balancing API Reference, "CreateLoadBalancer" (names); User Guide for Application
Load Balancers, "Enable access logs" (bucket policy), and the error as terraform-provider-aws issue 12010
quotes it; Amazon ECS API Reference, "LoadBalancer", and the error as hashicorp/terraform issue 32908
quotes it.
"""

import inspect
import json
import re
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, Final

from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend, Service
from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer, elbv2_backends
from moto.s3.models import s3_backends

_NAME: Final = re.compile(r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_WRITER: Final = "logdelivery.elasticloadbalancing.amazonaws.com"

_create = ELBv2Backend.create_load_balancer
_modify = ELBv2Backend.modify_load_balancer_attributes
_create_service = EC2ContainerServiceBackend.create_service
_SIGNATURE = inspect.signature(_create_service)


def refuse_what_aws_refuses() -> None:
    """Mend moto's load balancers, and the ECS services behind them; call it before the server answers."""
    setattr(ELBv2Backend, _create.__name__, create_load_balancer)
    setattr(ELBv2Backend, _modify.__name__, modify_load_balancer_attributes)
    setattr(EC2ContainerServiceBackend, _create_service.__name__, create_service)


def create_load_balancer(backend: ELBv2Backend, name: str, *arguments: Any, **named: Any) -> FakeLoadBalancer:
    """Creates a load balancer whose name AWS allows."""
    if not _NAME.fullmatch(name):
        raise ELBClientError(
            "ValidationError",
            f"The load balancer name '{name}' must have at most 32 letters, digits and hyphens, must not "
            "begin or end with a hyphen, and must not begin with 'internal-'",
        )
    return _create(backend, name, *arguments, **named)


def modify_load_balancer_attributes(backend: ELBv2Backend, arn: str, attrs: dict[str, Any]) -> dict[str, Any]:
    """Sets attributes; with access logs on, AWS writes a test file to the bucket."""
    now = {**backend.describe_load_balancer_attributes(arn), **attrs}
    if str(now.get("access_logs.s3.enabled")).lower() == "true":
        bucket = str(now.get("access_logs.s3.bucket"))
        prefix = now.get("access_logs.s3.prefix")
        directory = f"{prefix}/AWSLogs" if prefix else "AWSLogs"
        if not _may_write(bucket, f"{directory}/{backend.account_id}/ELBAccessLogTestFile"):
            raise ELBClientError(
                "InvalidConfigurationRequest",
                f"Access Denied for bucket: {bucket}. Please check S3bucket permission",
            )
    return _modify(backend, arn, attrs)


def create_service(backend: EC2ContainerServiceBackend, *arguments: Any, **named: Any) -> Service:
    """Creates a service whose target groups listeners use."""
    given = _SIGNATURE.bind(backend, *arguments, **named).arguments
    balancers = elbv2_backends[backend.account_id][backend.region_name]
    for each in given.get("load_balancers") or ():
        arn = each.get("targetGroupArn")
        if arn and not balancers._any_listener_using(arn):
            raise InvalidParameterException(
                f"The target group with targetGroupArn {arn} does not have an associated load balancer."
            )
    return _create_service(backend, *arguments, **named)


def _may_write(bucket: str, key: str) -> bool:
    """Returns whether a statement of a bucket's policy lets Elastic Load Balancing put an object."""
    if bucket not in s3_backends.bucket_accounts:
        return False
    partition, account = s3_backends.bucket_accounts[bucket]
    policy = s3_backends[account][partition].buckets[bucket].policy
    statements = _listed(json.loads(policy)["Statement"]) if policy else []
    return any(_allows(statement, f"arn:aws:s3:::{bucket}/{key}") for statement in statements)


def _allows(statement: Mapping[str, Any], arn: str) -> bool:
    principal = statement.get("Principal", {})
    services = _listed(principal.get("Service", [])) if isinstance(principal, dict) else [_WRITER]
    return (
        statement["Effect"] == "Allow"
        and _WRITER in services
        and any(fnmatchcase("s3:PutObject", action) for action in _listed(statement.get("Action", [])))
        and any(fnmatchcase(arn, resource) for resource in _listed(statement.get("Resource", [])))
    )


def _listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else [value]
