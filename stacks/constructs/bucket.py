"""A bucket for the files of services."""

from collections.abc import Iterator, Mapping
from typing import Final

from stacks import naming
from stacks.bindings import (
    Construct,
    S3BucketCorsConfiguration,
    S3BucketCorsConfigurationCorsRule,
    S3BucketNotification,
    S3BucketNotificationQueue,
)
from stacks.constructs.private_bucket import PrivateBucket
from stacks.constructs.queue import Queue
from stacks.settings import Environment, Project
from stacks.values import literal

_EVENTS: Final = {"created": "s3:ObjectCreated:*", "removed": "s3:ObjectRemoved:*"}
"""Source: Amazon S3 User Guide, "Event notification types and destinations"."""


class Bucket:
    """An S3 bucket of `[buckets]`, which tells `queues` of its objects where the settings say so."""

    def __init__(
        self,
        scope: Construct,
        project: Project,
        environment: Environment,
        key: str,
        queues: Mapping[str, Queue],
    ) -> None:
        settings, prefix = environment.buckets[key], f"bucket_{key}"
        bucket = PrivateBucket(
            scope,
            prefix,
            name=naming.bucket_name(project.name, environment, key),
            protected=environment.protected,
            former_version_days=settings.former_version_days,
            object_days=settings.expire_days or None,
            infrequent_access_days=settings.infrequent_access_days or None,
        )
        if settings.cors:
            S3BucketCorsConfiguration(
                scope,
                f"{prefix}_cors",
                bucket=bucket.name,
                cors_rule=[
                    S3BucketCorsConfigurationCorsRule(
                        allowed_origins=list(each.origins),
                        allowed_methods=list(each.methods),
                        allowed_headers=[literal(header) for header in each.headers],
                        max_age_seconds=each.max_age,
                    )
                    for each in settings.cors
                ],
            )
        if settings.notify:
            S3BucketNotification(
                scope,
                f"{prefix}_notifications",
                bucket=bucket.name,
                queue=[
                    S3BucketNotificationQueue(
                        id=f"{each.queue}-{number}",
                        queue_arn=queues[each.queue].arn,
                        events=[_EVENTS[event] for event in each.events],
                        filter_prefix=literal(each.prefix) or None,
                        filter_suffix=literal(each.suffix) or None,
                    )
                    for number, each in enumerate(settings.notify)
                ],
                # S3 asks the queue whether it may send before it takes the configuration.
                depends_on=[queues[each.queue].resource for each in settings.notify],
            )


def senders(project: Project, environment: Environment, queue: str) -> Iterator[tuple[str, str]]:
    """Yields who notifies a queue: the service, and the ARN of the bucket."""
    for key, bucket in environment.buckets.items():
        if any(each.queue == queue for each in bucket.notify):
            yield "s3.amazonaws.com", f"arn:aws:s3:::{naming.bucket_name(project.name, environment, key)}"
