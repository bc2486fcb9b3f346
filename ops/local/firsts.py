"""What an account has before Terraform runs, and an embedded one lacks: images, secrets, hosted zones."""

import hashlib
import json
import secrets
from pathlib import Path
from typing import Any, Final

from ops.core.files import write_private
from stacks.naming import registry, repository_name
from stacks.settings import Project
from stacks.values import SecretReference

COMMIT: Final = "0" * 40
"""Stands for the working tree, which may not be committed."""

_HASHED_SUFFIX: Final = "_SHA256"
_MANIFEST_TYPE: Final = "application/vnd.oci.image.manifest.v1+json"


def put_image(ecr: Any, project: Project, service: str) -> str:
    """Puts a manifest with one empty layer into a service's repository and returns the image by digest.

    Nothing ever pulls it: it takes the place of an image that the pipeline builds. Source of the
    manifest's format: OCI Image Format Specification, "Image Manifest".
    """
    empty = {"digest": f"sha256:{hashlib.sha256(b'{}').hexdigest()}", "size": 2}
    manifest = {
        "schemaVersion": 2,
        "mediaType": _MANIFEST_TYPE,
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **empty},
        "layers": [{"mediaType": "application/vnd.oci.empty.v1+json", **empty}],
    }
    repository = repository_name(project, service)
    tag = "first"
    found = [
        image["imageId"]["imageDigest"]
        for image in ecr.batch_get_image(repositoryName=repository, imageIds=[{"imageTag": tag}])["images"]
    ]
    if not found:
        put = ecr.put_image(
            repositoryName=repository,
            imageManifest=json.dumps(manifest),
            imageManifestMediaType=_MANIFEST_TYPE,
            imageTag=tag,
        )
        found = [put["image"]["imageId"]["imageDigest"]]
    return f"{registry(project)}/{repository}@{found[0]}"


def put_secret(client: Any, name: str, reference: SecretReference, token: Path) -> bool:
    """Generates the value of a secret that a service refers to; returns False if it already has one.

    `client` is for the reference's store. A secret that is the SHA-256 of a token gets that of the
    token in the file `token`, which only its owner can read.
    """
    value = secrets.token_urlsafe(32)
    if name.endswith(_HASHED_SUFFIX):
        value = hashlib.sha256(_token(token).encode()).hexdigest()
    if reference.store == "ssm":
        try:
            client.put_parameter(Name=reference.name, Value=value, Type="SecureString")
        except client.exceptions.ParameterAlreadyExists:
            return False
        return True
    if reference.json_key:
        return _put_key(client, reference.name, reference.json_key, value)
    try:
        client.create_secret(Name=reference.name, SecretString=value)
    except client.exceptions.ResourceExistsException:
        return False
    return True


def _put_key(client: Any, name: str, key: str, value: str) -> bool:
    """Generates one value of a secret that is a JSON object; returns False if it already has one."""
    try:
        content = json.loads(client.get_secret_value(SecretId=name)["SecretString"])
    except client.exceptions.ResourceNotFoundException:
        client.create_secret(Name=name, SecretString=json.dumps({key: value}))
        return True
    if key in content:
        return False
    client.put_secret_value(SecretId=name, SecretString=json.dumps({**content, key: value}))
    return True


def put_hosted_zone(route53: Any, name: str) -> bool:
    """Creates a public hosted zone, which on AWS comes with the domain; returns False if it exists."""
    found = route53.list_hosted_zones_by_name(DNSName=name)["HostedZones"]
    if any(zone["Name"] == f"{name}." and not zone["Config"]["PrivateZone"] for zone in found):
        return False
    route53.create_hosted_zone(Name=name, CallerReference=name)
    return True


def _token(file: Path) -> str:
    if not file.exists():
        write_private(file, secrets.token_urlsafe(32).encode())
    return file.read_text()
