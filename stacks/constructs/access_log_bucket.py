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


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for the bucket, which it empties before it deletes it."""
    name = project.name
    access_logs = f"arn:aws:s3:::{name}-*-access-logs-{account_id}"
    return (
        Statement(
            "ChangeBuckets",
            actions=[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:ListBucketVersions",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            resources=[access_logs],
        ),
        # An unprotected bucket is emptied before it is deleted.
        Statement(
            "EmptyBuckets",
            actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
            resources=[f"{access_logs}/*"],
        ),
    )
