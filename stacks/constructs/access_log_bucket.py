"""Where an environment's load balancers write down every request (ELB.5)."""

from stacks import naming
from stacks.bindings import Construct
from stacks.constructs.private_bucket import PrivateBucket
from stacks.policies import Statement
from stacks.settings import Environment, Project


class AccessLogBucket:
    """A bucket that Elastic Load Balancing may write to for this account, and nobody else.

    Source: User Guide for Application Load Balancers, "Enable access logs".
    """

    def __init__(self, scope: Construct, project: Project, environment: Environment) -> None:
        name = naming.access_log_bucket(project.name, environment)
        bucket = PrivateBucket(
            scope,
            "access_logs",
            name=name,
            protected=environment.protected,
            former_version_days=1,
            object_days=environment.logs.retention_days,
            statements=(
                Statement(
                    "WriteAccessLogs",
                    actions=["s3:PutObject"],
                    resources=[f"arn:aws:s3:::{name}/*/AWSLogs/{environment.account_id}/*"],
                    principals={"Service": "logdelivery.elasticloadbalancing.amazonaws.com"},
                ),
            ),
        )
        self.name = bucket.name
        self.policy = bucket.policy
