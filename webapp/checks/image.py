"""Checks the scan findings of the app's own image.

The released image is an index: the platforms' images, and what says how they were built. ECR scans images
and not indexes, so the one that runs here is looked up. DescribeImages omits the results of ECR's current
scanner, hence DescribeImageScanFindings.
Sources: Amazon ECR API Reference, "DescribeImages" and "BatchGetImage"; OCI Image Format Specification,
"Image Index"; aws/containers-roadmap issue 1683, for indexes.
"""

import json
import platform
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from webapp.check import Check, Grant, Resource
from webapp.components import Component, Kind
from webapp.states import Detail, Finding, State

if TYPE_CHECKING:
    from webapp.aws import Clients
    from webapp.settings import Registry, Settings

_NOT_SCANNED: Final = "ScanNotFoundException"

_SEVERITIES: Final = ("CRITICAL", "HIGH", "MEDIUM", "LOW", "INFORMATIONAL", "UNDEFINED", "UNTRIAGED")
"""The most severe first. Source: Amazon ECR API Reference, "ImageScanFindings"; Amazon Inspector API
Reference, "Finding"."""

_SCANNED: Final = frozenset({"ACTIVE", "COMPLETE"})
_PENDING: Final = frozenset({"IN_PROGRESS", "PENDING"})
_NOT_SCANNABLE: Final = "UNSUPPORTED_IMAGE"
"""Source: Amazon ECR API Reference, "ImageScanStatus"."""

_INDEXES: Final = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
_IMAGES: Final = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)

_ARCHITECTURES: Final[Mapping[str, str]] = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
"""What the platform of an image is called, by what Python calls the machine."""

_MISSING: Final = "The image is not in its repository."


class ImageCheck:
    """Checks the scan of an image, and remembers the digest of the platform's image: it never changes."""

    def __init__(self) -> None:
        self._resolved: dict[str, str] = {}

    async def check(self, clients: "Clients", _component: Component, settings: "Settings") -> Finding:
        """Returns operational unless the scan of the released image has critical findings.

        Details: `scan`, the scan's status, and the number of findings by severity. An image in another
        registry, or without one for this platform, is unknown. Raises `AwsError`.
        """
        from botocore.exceptions import ClientError

        from webapp.calls import call_aws

        registry = settings.registry
        if registry is None:
            return Finding(State.UNKNOWN, "The image is from another registry, which the app does not ask.")
        ecr = clients.of("ecr")
        digest = self._resolved.get(settings.digest)
        if digest is None:
            manifest = await _manifest(ecr, registry, settings.digest)
            if isinstance(manifest, Finding):
                return manifest
            digest = image_for(manifest, settings.digest, _ARCHITECTURES.get(platform.machine(), ""))
            if digest is None:
                return Finding(State.UNKNOWN, "The image is there; none of it is for this platform.")
            self._resolved[settings.digest] = digest
        try:
            answer = await call_aws(
                "ecr:DescribeImageScanFindings",
                ecr.describe_image_scan_findings(
                    registryId=registry.account_id,
                    repositoryName=registry.repository,
                    imageId={"imageDigest": digest},
                    maxResults=1,
                ),
                expected={_NOT_SCANNED},
            )
        except ClientError:
            return Finding(State.OPERATIONAL, "The image is there; it was not scanned yet.", {"scan": None})
        return found(answer)


async def _manifest(ecr: Any, registry: "Registry", digest: str) -> Mapping[str, Any] | Finding:
    """Returns the manifest of an image or index, or a finding that says why there is none.

    Source: Amazon ECR API Reference, "ImageFailure".
    """
    from webapp.calls import call_aws

    answer = await call_aws(
        "ecr:BatchGetImage",
        ecr.batch_get_image(
            registryId=registry.account_id,
            repositoryName=registry.repository,
            imageIds=[{"imageDigest": digest}],
            acceptedMediaTypes=[*_INDEXES, *_IMAGES],
        ),
    )
    if not answer["images"]:
        codes = sorted({each.get("failureCode", "") for each in answer.get("failures", ())} - {""})
        if codes in ([], ["ImageNotFound"]):
            return Finding(State.DOWN, _MISSING)
        return Finding(State.UNKNOWN, f"ECR does not give the image: {', '.join(codes)}.")
    manifest: Mapping[str, Any] = json.loads(answer["images"][0]["imageManifest"])
    return manifest


def image_for(manifest: Mapping[str, Any], digest: str, architecture: str) -> str | None:
    """Returns the digest of the image for a Linux platform: the manifest's own, unless it is an index.

    None if the index has no image for it. Attestations in an index have no platform.
    """
    children = manifest.get("manifests")
    if children is None:
        return digest
    for child in children:
        its = child.get("platform", {})
        if (its.get("os"), its.get("architecture")) == ("linux", architecture):
            return str(child["digest"])
    return None


def found(answer: Mapping[str, Any]) -> Finding:
    """Returns the finding for what ECR says of a scan."""
    status = answer["imageScanStatus"]["status"]
    details: dict[str, Detail] = {"scan": status}
    if status in _PENDING:
        return Finding(State.OPERATIONAL, "The image is there; it is being scanned.", details)
    if status == _NOT_SCANNABLE:
        return Finding(State.OPERATIONAL, "The image is there; it is not scannable for ECR.", details)
    if status not in _SCANNED:
        return Finding(State.UNKNOWN, f"The image's scan has no result: {status}.", details)
    counts = answer.get("imageScanFindings", {}).get("findingSeverityCounts", {})
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
    grants=(Grant("CheckScan", ("ecr:BatchGetImage", "ecr:DescribeImageScanFindings"), Resource.IMAGES),),
    run=ImageCheck().check,
    missing=_MISSING,
)
