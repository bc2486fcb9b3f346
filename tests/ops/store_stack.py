"""A stack with every kind of data store, as Terraform JSON written by hand, and nothing else."""

import json
from typing import Any, Final

from tests.ops.small_stacks import ACCOUNT, REGION

PREFIX: Final = "oaktree-dev"
BUCKET: Final = f"{PREFIX}-uploads-{ACCOUNT}"

Resources = dict[str, dict[str, Any]]


def store_stack() -> dict[str, Any]:
    """Returns the configuration of the stack."""
    settings = {
        "region": REGION,
        "allowed_account_ids": [ACCOUNT],
        "default_tags": [{"tags": {"project": "oaktree", "environment": "dev"}}],
    }
    parts = (_queues(), _bucket(), _table(), _topic(), _network(), _cache(), _volume())
    return {
        "terraform": {
            "backend": {"s3": {"bucket": "states", "key": "stores.tfstate", "region": REGION}},
            "required_providers": {"aws": {"source": "aws", "version": "5.100.0"}},
        },
        "provider": {"aws": [settings]},
        "resource": {kind: blocks for part in parts for kind, blocks in part.items()},
    }


def _arn(service: str, name: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{name}"


def _document(*statements: dict[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": statements}, sort_keys=True)


def _redrive(dead_letters: str) -> str:
    policy = {"deadLetterTargetArn": f"${{aws_sqs_queue.{dead_letters}.arn}}", "maxReceiveCount": 5}
    return json.dumps(policy, sort_keys=True)


def _queues() -> Resources:
    orders = _arn("sqs", f"{PREFIX}-orders")
    allowing = {"redrivePermission": "byQueue", "sourceQueueArns": [orders]}
    # Part of the queue: a resource of its own takes another 25 seconds.
    policy = _document(
        {
            "Sid": "Uploads",
            "Effect": "Allow",
            "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": orders,
            "Condition": {
                "ArnLike": {"aws:SourceArn": f"arn:aws:s3:::{BUCKET}"},
                "StringEquals": {"aws:SourceAccount": ACCOUNT},
            },
        },
        {
            "Sid": "Events",
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": orders,
            "Condition": {"ArnEquals": {"aws:SourceArn": _arn("sns", f"{PREFIX}-events")}},
        },
        {
            "Sid": "Tls",
            "Effect": "Deny",
            "Principal": "*",
            "Action": "sqs:*",
            "Resource": orders,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
    )
    return {
        "aws_sqs_queue": {
            "orders_dlq": {
                "name": f"{PREFIX}-orders-dlq",
                "message_retention_seconds": 1209600,
                "sqs_managed_sse_enabled": True,
                "redrive_allow_policy": json.dumps(allowing, sort_keys=True),
            },
            "orders": {
                "name": f"{PREFIX}-orders",
                "visibility_timeout_seconds": 180,
                "delay_seconds": 5,
                "receive_wait_time_seconds": 20,
                "message_retention_seconds": 345600,
                "sqs_managed_sse_enabled": True,
                "redrive_policy": _redrive("orders_dlq"),
                "policy": policy,
            },
            "bills_dlq": {
                "name": f"{PREFIX}-bills-dlq.fifo",
                "fifo_queue": True,
                "sqs_managed_sse_enabled": True,
            },
            "bills": {
                "name": f"{PREFIX}-bills.fifo",
                "fifo_queue": True,
                "content_based_deduplication": True,
                "deduplication_scope": "messageGroup",
                "fifo_throughput_limit": "perMessageGroupId",
                "sqs_managed_sse_enabled": True,
                "redrive_policy": _redrive("bills_dlq"),
            },
        }
    }


def _bucket() -> Resources:
    bucket = "${aws_s3_bucket.uploads.id}"
    arn = "${aws_s3_bucket.uploads.arn}"
    public = ("block_public_acls", "block_public_policy", "ignore_public_acls", "restrict_public_buckets")
    transitions = [{"days": 30, "storage_class": "STANDARD_IA"}, {"days": 90, "storage_class": "GLACIER"}]
    rules: list[dict[str, Any]] = [
        {
            "id": "old",
            "status": "Enabled",
            "filter": {"prefix": "in/"},
            "transition": transitions,
            "expiration": {"days": 365},
        },
        {
            "id": "versions",
            "status": "Enabled",
            "filter": {},
            "noncurrent_version_expiration": {"noncurrent_days": 30, "newer_noncurrent_versions": 3},
            "abort_incomplete_multipart_upload": {"days_after_initiation": 7},
        },
    ]
    tls = {
        "Sid": "Tls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    notification = {
        "id": "orders",
        "queue_arn": "${aws_sqs_queue.orders.arn}",
        "events": ["s3:ObjectCreated:*"],
        "filter_prefix": "in/",
        "filter_suffix": ".json",
    }
    cors = {
        "allowed_methods": ["GET", "PUT"],
        "allowed_origins": ["https://shop.example.com"],
        "allowed_headers": ["*"],
        "expose_headers": ["ETag"],
        "max_age_seconds": 3000,
    }
    encryption = {"apply_server_side_encryption_by_default": {"sse_algorithm": "AES256"}}
    blocks: Resources = {
        "aws_s3_bucket_versioning": {"versioning_configuration": {"status": "Enabled"}},
        "aws_s3_bucket_lifecycle_configuration": {
            "rule": rules,
            "depends_on": ["aws_s3_bucket_versioning.uploads"],
        },
        "aws_s3_bucket_cors_configuration": {"cors_rule": [cors]},
        "aws_s3_bucket_public_access_block": dict.fromkeys(public, True),
        "aws_s3_bucket_server_side_encryption_configuration": {"rule": [encryption]},
        "aws_s3_bucket_ownership_controls": {"rule": {"object_ownership": "BucketOwnerEnforced"}},
        "aws_s3_bucket_policy": {
            "policy": _document(tls),
            "depends_on": ["aws_s3_bucket_public_access_block.uploads"],
        },
        "aws_s3_bucket_notification": {"queue": [notification]},
    }
    return {
        "aws_s3_bucket": {"uploads": {"bucket": BUCKET, "force_destroy": True}},
        **{kind: {"uploads": {"bucket": bucket, **block}} for kind, block in blocks.items()},
    }


def _table() -> Resources:
    index = {"name": "by-user", "hash_key": "user", "range_key": "at", "projection_type": "ALL"}
    return {
        "aws_dynamodb_table": {
            "sessions": {
                "name": f"{PREFIX}-sessions",
                "billing_mode": "PAY_PER_REQUEST",
                "hash_key": "id",
                "range_key": "at",
                "attribute": [
                    {"name": name, "type": kind} for name, kind in (("id", "S"), ("at", "N"), ("user", "S"))
                ],
                "global_secondary_index": [index],
                "ttl": {"attribute_name": "expires", "enabled": True},
                "point_in_time_recovery": {"enabled": True},
                "server_side_encryption": {"enabled": True},
                "deletion_protection_enabled": False,
            }
        }
    }


def _topic() -> Resources:
    return {
        "aws_sns_topic": {"events": {"name": f"{PREFIX}-events"}},
        "aws_sns_topic_subscription": {
            "orders": {
                "topic_arn": "${aws_sns_topic.events.arn}",
                "protocol": "sqs",
                "endpoint": "${aws_sqs_queue.orders.arn}",
                "raw_message_delivery": True,
                "filter_policy": json.dumps({"kind": ["order"]}),
                "redrive_policy": json.dumps({"deadLetterTargetArn": "${aws_sqs_queue.orders_dlq.arn}"}),
            }
        },
    }


def _network() -> Resources:
    vpc = "${aws_vpc.vpc.id}"
    return {
        "aws_vpc": {"vpc": {"cidr_block": "10.0.0.0/24"}},
        "aws_subnet": {
            zone: {
                "vpc_id": vpc,
                "cidr_block": f"10.0.0.{16 * place}/28",
                "availability_zone": f"{REGION}{zone}",
            }
            for place, zone in enumerate("ab")
        },
        "aws_security_group": {"stores": {"name": PREFIX, "description": "Data stores", "vpc_id": vpc}},
    }


def _cache() -> Resources:
    name = f"{PREFIX}-cache"
    user = {
        "user_id": name,
        "user_name": "default",
        "engine": "valkey",
        "access_string": "on ~* +@all",
        "authentication_mode": {"type": "password", "passwords": ["only-for-these-tests"]},
    }
    group = {
        "replication_group_id": name,
        "description": "Sessions",
        "engine": "valkey",
        "engine_version": "8.0",
        "node_type": "cache.t4g.micro",
        "num_cache_clusters": 2,
        "automatic_failover_enabled": True,
        "multi_az_enabled": True,
        "port": 6379,
        "parameter_group_name": "${aws_elasticache_parameter_group.cache.name}",
        "subnet_group_name": "${aws_elasticache_subnet_group.cache.name}",
        "security_group_ids": ["${aws_security_group.stores.id}"],
        "user_group_ids": ["${aws_elasticache_user_group.cache.id}"],
        "at_rest_encryption_enabled": True,
        "transit_encryption_enabled": True,
        "snapshot_retention_limit": 1,
        "snapshot_window": "03:00-04:00",
        "maintenance_window": "sun:05:00-sun:06:00",
        "apply_immediately": True,
    }
    blocks: Resources = {
        "subnet_group": {"name": name, "subnet_ids": ["${aws_subnet.a.id}", "${aws_subnet.b.id}"]},
        "parameter_group": {
            "name": name,
            "family": "valkey8",
            "parameter": [{"name": "maxmemory-policy", "value": "allkeys-lru"}],
        },
        "user": user,
        "user_group": {
            "user_group_id": name,
            "engine": "valkey",
            "user_ids": ["${aws_elasticache_user.cache.user_id}"],
        },
        "replication_group": group,
    }
    return {f"aws_elasticache_{kind}": {"cache": block} for kind, block in blocks.items()}


def _volume() -> Resources:
    system, arn = "${aws_efs_file_system.files.id}", "${aws_efs_file_system.files.arn}"
    policy = _document(
        {
            "Sid": "Tls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Resource": arn,
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        },
        {
            "Sid": "Mount",
            "Effect": "Allow",
            "Principal": {"AWS": "*"},
            "Action": ["elasticfilesystem:ClientMount", "elasticfilesystem:ClientWrite"],
            "Resource": arn,
            "Condition": {"Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"}},
        },
    )
    owner = {"owner_uid": 10001, "owner_gid": 10001, "permissions": "0750"}
    return {
        "aws_efs_file_system": {
            "files": {
                "creation_token": f"{PREFIX}-files",
                "encrypted": True,
                "throughput_mode": "elastic",
                "lifecycle_policy": [
                    {"transition_to_ia": "AFTER_30_DAYS"},
                    {"transition_to_primary_storage_class": "AFTER_1_ACCESS"},
                ],
            }
        },
        "aws_efs_mount_target": {
            zone: {
                "file_system_id": system,
                "subnet_id": f"${{aws_subnet.{zone}.id}}",
                "security_groups": ["${aws_security_group.stores.id}"],
            }
            for zone in "ab"
        },
        "aws_efs_access_point": {
            "shop": {
                "file_system_id": system,
                "posix_user": {"uid": 10001, "gid": 10001},
                "root_directory": {"path": "/shop", "creation_info": owner},
            }
        },
        "aws_efs_backup_policy": {
            "files": {"file_system_id": system, "backup_policy": {"status": "ENABLED"}}
        },
        "aws_efs_file_system_policy": {"files": {"file_system_id": system, "policy": policy}},
    }
