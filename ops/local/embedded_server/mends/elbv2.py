"""Load balancers: names and log buckets that AWS refuses, and moto takes.

Sources: Elastic Load Balancing API Reference, "CreateLoadBalancer" (names); User Guide for Application
Load Balancers, "Enable access logs" (bucket policy), and the error as terraform-provider-aws issue 12010
quotes it.
"""

import re
from typing import Any, Final

from moto.elbv2.exceptions import ELBClientError
from moto.elbv2.models import ELBv2Backend, FakeLoadBalancer

from ops.local.embedded_server.authorization.services import lets
from ops.local.embedded_server.patching import patch

_NAME: Final = re.compile(r"(?!internal-)[A-Za-z0-9]([A-Za-z0-9-]{0,30}[A-Za-z0-9])?")
_WRITER: Final = "logdelivery.elasticloadbalancing.amazonaws.com"

_create = ELBv2Backend.create_load_balancer
_modify = ELBv2Backend.modify_load_balancer_attributes


def mend() -> None:
    """Mends moto's load balancers."""
    patch(ELBv2Backend, create_load_balancer, modify_load_balancer_attributes)


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
        file = f"arn:aws:s3:::{bucket}/{directory}/{backend.account_id}/ELBAccessLogTestFile"
        if not lets(file, "s3:PutObject", _WRITER, arn, backend.account_id):
            raise ELBClientError(
                "InvalidConfigurationRequest",
                f"Access Denied for bucket: {bucket}. Please check S3bucket permission",
            )
    return _modify(backend, arn, attrs)
