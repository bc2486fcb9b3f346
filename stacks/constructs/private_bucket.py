"""An S3 bucket that nobody outside the account can read, reached over TLS only."""

from stacks import policies
from stacks.bindings import (
    Construct,
    S3Bucket,
    S3BucketLifecycleConfiguration,
    S3BucketLifecycleConfigurationRule,
    S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload,
    S3BucketLifecycleConfigurationRuleExpiration,
    S3BucketLifecycleConfigurationRuleFilter,
    S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration,
    S3BucketLifecycleConfigurationRuleTransition,
    S3BucketOwnershipControls,
    S3BucketOwnershipControlsRule,
    S3BucketPolicy,
    S3BucketPublicAccessBlock,
    S3BucketServerSideEncryptionConfigurationA,
    S3BucketServerSideEncryptionConfigurationRuleA,
    S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA,
    S3BucketVersioningA,
    S3BucketVersioningVersioningConfiguration,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Project

DAYS_OF_AN_UNFINISHED_UPLOAD = 7


class PrivateBucket:
    """Encrypted with S3's own keys, versioned, without ACLs.

    `statements` are added to the policy. Previous versions expire after `former_version_days`; with
    `object_days`, the objects themselves too; with `infrequent_access_days`, they move to that storage class
    before. A protected bucket cannot be destroyed by Terraform;
    any other is emptied when it is. `policy` is the bucket's policy, for what must wait for it.
    """

    def __init__(
        self,
        scope: Construct,
        key: str,
        *,
        name: str,
        protected: bool,
        former_version_days: int,
        object_days: int | None = None,
        infrequent_access_days: int | None = None,
        statements: tuple[Statement, ...] = (),
    ) -> None:
        bucket = S3Bucket(
            scope,
            key,
            bucket=name,
            force_destroy=not protected,
            lifecycle=TerraformResourceLifecycle(prevent_destroy=protected),
        )
        self.name = bucket.bucket
        S3BucketOwnershipControls(
            scope,
            f"{key}_ownership",
            bucket=bucket.id,
            rule=S3BucketOwnershipControlsRule(object_ownership="BucketOwnerEnforced"),
        )
        S3BucketPublicAccessBlock(
            scope,
            f"{key}_public_access",
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
        )
        S3BucketServerSideEncryptionConfigurationA(
            scope,
            f"{key}_encryption",
            bucket=bucket.id,
            rule=[
                S3BucketServerSideEncryptionConfigurationRuleA(
                    apply_server_side_encryption_by_default=S3BucketServerSideEncryptionConfigurationRuleApplyServerSideEncryptionByDefaultA(
                        sse_algorithm="AES256"
                    )
                )
            ],
        )
        versioning = S3BucketVersioningA(
            scope,
            f"{key}_versions",
            bucket=bucket.id,
            versioning_configuration=S3BucketVersioningVersioningConfiguration(status="Enabled"),
        )
        expiration = S3BucketLifecycleConfigurationRuleExpiration(days=object_days) if object_days else None
        S3BucketLifecycleConfiguration(
            scope,
            f"{key}_expiry",
            bucket=bucket.id,
            rule=[
                S3BucketLifecycleConfigurationRule(
                    id="expire",
                    status="Enabled",
                    filter=[S3BucketLifecycleConfigurationRuleFilter(prefix="")],
                    expiration=[expiration] if expiration else None,
                    transition=[
                        S3BucketLifecycleConfigurationRuleTransition(
                            days=infrequent_access_days, storage_class="STANDARD_IA"
                        )
                    ]
                    if infrequent_access_days
                    else None,
                    noncurrent_version_expiration=[
                        S3BucketLifecycleConfigurationRuleNoncurrentVersionExpiration(
                            noncurrent_days=former_version_days
                        )
                    ],
                    abort_incomplete_multipart_upload=[
                        S3BucketLifecycleConfigurationRuleAbortIncompleteMultipartUpload(
                            days_after_initiation=DAYS_OF_AN_UNFINISHED_UPLOAD
                        )
                    ],
                )
            ],
            # S3 refuses rules on previous versions before there can be any.
            depends_on=[versioning],
        )
        arn = f"arn:aws:s3:::{name}"
        self.policy = S3BucketPolicy(
            scope,
            f"{key}_policy",
            bucket=bucket.id,
            policy=policies.document(policies.tls_only("s3:*", arn, f"{arn}/*"), *statements),
        )


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for an environment's buckets, whose names end in the account's id.

    The state bucket's ends in a region. An unprotected bucket is emptied before it is deleted.
    """
    buckets = f"arn:aws:s3:::{project.name}-*-{account_id}"
    return (
        Statement(
            "ChangeBuckets",
            actions=[
                "s3:CreateBucket",
                "s3:DeleteBucket",
                "s3:DeleteBucketPolicy",
                "s3:ListBucketVersions",
                "s3:PutBucketCORS",
                "s3:PutBucketNotification",
                "s3:PutBucketOwnershipControls",
                "s3:PutBucketPolicy",
                "s3:PutBucketPublicAccessBlock",
                "s3:PutBucketTagging",
                "s3:PutBucketVersioning",
                "s3:PutEncryptionConfiguration",
                "s3:PutLifecycleConfiguration",
            ],
            resources=[buckets],
        ),
        Statement(
            "EmptyBuckets",
            actions=["s3:DeleteObject", "s3:DeleteObjectVersion"],
            resources=[f"{buckets}/*"],
        ),
    )
