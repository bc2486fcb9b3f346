"""Checks the scan findings of the app's own image.

DescribeImages omits the results of ECR's current scanner, hence DescribeImageScanFindings.
Source: Amazon ECR API Reference, "DescribeImages".
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Settings

_NOT_SCANNED: Final = "ScanNotFoundException"

_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
"""The most severe first. Source: Amazon ECR API Reference, "ImageScanFindings"; Amazon Inspector API
Reference, "Finding"."""

_SCANNED: Final = frozenset({"ACTIVE", "COMPLETE"})
_PENDING: Final = frozenset({"IN_PROGRESS", "PENDING"})
"""Source: Amazon ECR API Reference, "ImageScanStatus"."""


async def check(clients: "Clients", _component: Component, settings: "Settings") -> Finding:
    """Returns operational unless the scan of the released image has critical findings.

    Details: `scan`, the scan's status, and the number of findings by severity. An image in another registry
    is unknown. Raises `AwsError`.
    """
    from botocore.exceptions import ClientError

    from webapp.calls import call_aws

    registry = settings.registry
    if registry is None:
        return Finding(State.UNKNOWN, "The image is from another registry, which the app does not ask.")
    try:
        answer = await call_aws(
            "ecr:DescribeImageScanFindings",
            clients.of("ecr").describe_image_scan_findings(
                registryId=registry.account_id,
                repositoryName=registry.repository,
                imageId={"imageDigest": settings.digest},
                maxResults=1,
            ),
            expected={_NOT_SCANNED},
        )
    except ClientError:
        return Finding(State.OPERATIONAL, "The image is there; it was not scanned yet.", {"scan": None})
    status = answer["imageScanStatus"]["status"]
    if status in _PENDING:
        return Finding(State.OPERATIONAL, "The image is there; it is being scanned.", {"scan": status})
    if status == "UNSUPPORTED_IMAGE":
        message = "The image is there; ECR does not scan images of its kind."
        return Finding(State.OPERATIONAL, message, {"scan": status})
    if status not in _SCANNED:
        return Finding(State.UNKNOWN, f"The image's scan has no result: {status}.", {"scan": status})
    counts = answer["imageScanFindings"].get("findingSeverityCounts", {})
    return found_in_scan(status, {str(severity): count for severity, count in counts.items()})


def found_in_scan(status: str, counts: Mapping[str, int]) -> Finding:
    """Returns the finding for a finished scan with this many findings by severity."""
    found = {severity.lower(): counts[severity] for severity in _SEVERITIES if counts.get(severity)}
    listed = ", ".join(f"{count} {severity}" for severity, count in found.items())
    return Finding(
        State.DEGRADED if "critical" in found else State.OPERATIONAL,
        f"Vulnerabilities in the image: {listed}." if found else "No vulnerability was found in the image.",
        {"scan": status, **found},
    )


CHECK: Final = Check(
    kind=Kind.IMAGE,
    clients=("ecr",),
    grants=(Grant("CheckScan", ("ecr:DescribeImageScanFindings",), Resource.IMAGES),),
    run=check,
    missing="The image is not in its repository.",
)
