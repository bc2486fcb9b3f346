"""The S3 bucket that holds every stack's Terraform state."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import ClientError

from ops.core.clients import ambient_client
from ops.core.errors import OpsError
from stacks.naming import state_bucket, state_key
from stacks.settings import Project

_PROTECTIONS: Final[Mapping[str, Mapping[str, bool]]] = {
    "aws_db_instance": {"deletion_protection": True},
    "aws_dynamodb_table": {"deletion_protection_enabled": True},
    "aws_ecr_repository": {"force_delete": False},
    "aws_lb": {"enable_deletion_protection": True},
    "aws_s3_bucket": {"force_destroy": False},
}
"""Attributes, and the value with which AWS or the provider refuses to delete the resource.

Source: the AWS provider's documentation of each resource.
"""


@dataclass(frozen=True)
class StateBucket:
    """A state bucket that may not exist yet, and an S3 client that can read it."""

    s3: Any
    name: str

    def exists(self) -> bool:
        """Whether the bucket exists.

        Raises OpsError if the credentials may not read it.
        """
        return self._found(lambda: self.s3.head_bucket(Bucket=self.name))

    def has(self, stack: str) -> bool:
        """Whether the bucket has a stack's state."""
        return self._found(lambda: self.s3.head_object(Bucket=self.name, Key=state_key(stack)))

    def stacks(self) -> tuple[str, ...]:
        """Returns the names of the stacks that have a state in the bucket."""
        suffix = state_key("")
        keys = (entry["Key"] for entry in self._pages("list_objects_v2", "Contents"))
        return tuple(sorted(key.removesuffix(suffix) for key in keys if key.endswith(suffix)))

    def resources(self, stack: str) -> tuple[str, ...]:
        """Returns the addresses in a stack's state, without data sources; empty if it has no state."""
        return tuple(_address(resource) for resource in self._managed(stack) if resource["instances"])

    def protections(self, stack: str) -> tuple[str, ...]:
        """Returns what in a stack's state would make its destruction fail: address, attribute and value."""
        return tuple(
            f"{_address(resource)} has {attribute} = {str(value).lower()}"
            for resource in self._managed(stack)
            for attribute, value in _PROTECTIONS.get(resource["type"], {}).items()
            if any(instance["attributes"].get(attribute) is value for instance in resource["instances"])
        )

    def locked(self) -> tuple[str, ...]:
        """Returns the names of the stacks whose state is locked."""
        suffix = lock_key("")
        keys = (entry["Key"] for entry in self._pages("list_objects_v2", "Contents"))
        return tuple(sorted(key.removesuffix(suffix) for key in keys if key.endswith(suffix)))

    def release_locks(self) -> int:
        """Removes every lock and returns how many there were; only safe if nobody can hold one."""
        stacks = self.locked()
        for stack in stacks:
            self.s3.delete_object(Bucket=self.name, Key=lock_key(stack))
        return len(stacks)

    def empty(self) -> None:
        """Deletes every version of every object, which S3 requires before it deletes a bucket."""
        for kind in ("Versions", "DeleteMarkers"):
            for entry in list(self._pages("list_object_versions", kind)):
                self.s3.delete_object(Bucket=self.name, Key=entry["Key"], VersionId=entry["VersionId"])

    def _managed(self, stack: str) -> list[Any]:
        if not self.has(stack):
            return []
        content = self.s3.get_object(Bucket=self.name, Key=state_key(stack))["Body"].read()
        return managed(content)

    def _pages(self, operation: str, kind: str) -> Iterator[Any]:
        for page in self.s3.get_paginator(operation).paginate(Bucket=self.name):
            yield from page.get(kind, ())

    def _found(self, ask: Any) -> bool:
        try:
            ask()
        except ClientError as error:
            match error.response["ResponseMetadata"]["HTTPStatusCode"]:
                case 404:
                    return False
                case 403:
                    raise OpsError(
                        f"The AWS credentials in use may not read the state bucket {self.name}. "
                        "Use those of the project's account, or of a role that may."
                    ) from None
            raise
        return True


def states_of(project: Project) -> StateBucket:
    """Returns the state bucket of a project, read with the ambient credentials."""
    return StateBucket(ambient_client("s3", project.region), state_bucket(project))


def managed(content: bytes) -> list[Any]:
    """Returns the resources in a state's JSON, without data sources."""
    return [item for item in json.loads(content).get("resources", ()) if item["mode"] == "managed"]


def attributes(content: bytes) -> dict[str, Any]:
    """Returns the attributes of the resources in a state's JSON, by address; none if there is no state.

    Source of the format: the state files of Terraform 1 and OpenTofu 1, format version 4.
    """
    return {
        _address(resource): instance["attributes"]
        for resource in managed(content or b"{}")
        for instance in resource["instances"]
        if "deposed" not in instance
    }


def lock_key(stack: str) -> str:
    """Returns the key of the lock of a stack's state, which exists while it is locked.

    Source: Terraform's documentation, "Backend Type: s3", `use_lockfile`.
    """
    return f"{state_key(stack)}.tflock"


def _address(resource: Any) -> str:
    return f"{resource['type']}.{resource['name']}"
