"""The release record: which image a service runs in an environment, by digest, in SSM.

Terraform reads it; this is the only writer. SSM keeps its former versions.
"""

import json
import os
import pwd
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from ops.errors import OpsError, UsageError
from stacks.naming import registry, release_parameter, repository_name
from stacks.settings import Environment, Project

_DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")
_COMMIT: Final = re.compile(r"[0-9a-f]{7,64}")


@dataclass(frozen=True)
class Release:
    """One version of a release record. `at` is the time in RFC 3339, UTC."""

    image: str
    commit: str
    by: str
    at: str


@dataclass(frozen=True)
class Releases:
    """The release records of one environment.

    `ssm` acts in the environment's account, `ecr` in the project's.
    """

    project: Project
    environment: Environment
    ssm: Any
    ecr: Any

    def current(self, service: str) -> Release | None:
        """What a service is to run, or None when it was never released."""
        try:
            found = self.ssm.get_parameter(Name=self._parameter(service))
        except self.ssm.exceptions.ParameterNotFound:
            return None
        try:
            return Release(**json.loads(found["Parameter"]["Value"]))
        except (ValueError, TypeError):
            return None

    def record(self, service: str, image: str, commit: str) -> bool:
        """Make an image the one that a service runs; False when it is already.

        UsageError when service, image or commit is not what it has to be, OpsError when the
        registry does not have the image, or has it without a tag and so will delete it.
        """
        self.check(service, image, commit)
        self._require_kept(image, commit)
        if (current := self.current(service)) and (current.image, current.commit) == (image, commit):
            return False
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        release = Release(image, commit, user_name(os.getuid()), now)
        self.ssm.put_parameter(
            Name=self._parameter(service), Value=json.dumps(vars(release)), Type="String", Overwrite=True
        )
        return True

    def _parameter(self, service: str) -> str:
        return release_parameter(self.project, self.environment.name, service)

    def check(self, service: str, image: str, commit: str) -> None:
        """Raise UsageError when service, image or commit is not what it has to be."""
        if service not in self.environment.services:
            known = ", ".join(self.environment.services)
            raise UsageError(
                f"SERVICE={service} is no service of {self.environment.name}: known are {known}."
            )
        repository = f"{registry(self.project)}/{repository_name(self.project, service)}"
        name, _, digest = image.partition("@")
        if name != repository or not _DIGEST.fullmatch(digest):
            raise UsageError(
                f"IMAGE={image} is not an image of this service by digest: it has the form "
                f"{repository}@sha256:<64 hexadecimal digits>. A tag does not do, since it may move."
            )
        if not _COMMIT.fullmatch(commit):
            raise UsageError(
                f"COMMIT={commit} is not a commit's id: 7 to 64 hexadecimal digits (git rev-parse HEAD)."
            )

    def _require_kept(self, image: str, commit: str) -> None:
        name, _, digest = image.partition("@")
        host, _, repository = name.partition("/")
        try:
            found = self.ecr.describe_images(
                registryId=self.project.account_id,
                repositoryName=repository,
                imageIds=[{"imageDigest": digest}],
            )
        except (self.ecr.exceptions.ImageNotFoundException, self.ecr.exceptions.RepositoryNotFoundException):
            raise OpsError(
                f"The registry {host} has no image {digest} in {repository}. Push the image first; "
                "`docker buildx imagetools inspect` shows an image's digest."
            ) from None
        except ClientError as error:
            raise OpsError(
                f"The registry {host} could not be asked for the image: {error.response['Error']['Message']}"
            ) from None
        if not found["imageDetails"][0].get("imageTags"):
            raise OpsError(
                f"The image {digest} in {repository} has no tag, and the registry deletes an image without "
                f"one {self.project.untagged_image_days} days after its push. Push it with its commit as "
                f"tag ({name}:{commit}), then release it."
            )


def user_name(uid: int) -> str:
    """The name of a user of this machine, or the number itself when it has none, as in a container."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
