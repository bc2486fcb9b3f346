"""Checks that an S3 bucket is there and answers.

GetBucketLocation is the least that proves it: HeadBucket takes the right to list the objects.
Source: Amazon S3 User Guide, "Required permissions for Amazon S3 API operations".
"""

from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings


async def check(clients: "Clients", component: Component, _settings: "Settings") -> Finding:
    """Returns operational if S3 answers for the bucket. Raises `AwsError`."""
    from webapp.calls import call_aws

    await call_aws("s3:GetBucketLocation", clients.of("s3").get_bucket_location(Bucket=component.resource))
    return Finding(State.OPERATIONAL, "The bucket answers.")


CHECK: Final = Check(
    kind=Kind.BUCKET,
    clients=("s3",),
    grants=(Grant("CheckBuckets", ("s3:GetBucketLocation",), Resource.BUCKETS),),
    missing="The bucket does not exist.",
    run=check,
)
