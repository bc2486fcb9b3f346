"""The release record: the image that a service runs in an environment, by digest, in SSM.

Terraform reads it; this module is its only writer. What became of a release is a version of its own,
with the same image: a label would need no version, but SSM refuses to write once the oldest of its
hundred versions has one. Source: AWS Systems Manager API Reference, ParameterMaxVersionLimitExceeded.
"""

import json
import os
import pwd
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any, Final

from botocore.exceptions import ClientError

from ops.core.console import rfc_3339
from ops.core.ecs import COMMIT_ID, DIGEST, Image
from ops.core.errors import OpsError, UsageError
from ops.releases.lock import locked
from stacks.images import services_by_image
from stacks.naming import registry, release_lock, release_parameter, repository_name
from stacks.settings import Environment, Project

RECORDED: Final = "recorded"
"""The state of a release that was recorded; whether it was ever in service is not known."""

IN_SERVICE: Final = "in service"
"""The state of a release once ECS has completed its rollout, and `make deploy` its tests if it ran them."""

FAILED: Final = "failed"
"""The state of a release that failed and stays, because there is none to go back to."""


@dataclass(frozen=True)
class Release:
    """One version of a release record; times are in RFC 3339, UTC.

    `by`, `at` and `why` are of the recording, `since` is when the release got into another state
    than `RECORDED`. `restores` is the version whose release this one records again, and `undoes`
    the version whose deployment failed and was taken back; 0 for none.
    """

    image: str
    commit: str
    by: str
    at: str
    why: str = ""
    state: str = RECORDED
    since: str = ""
    restores: int = 0
    undoes: int = 0

    @property
    def what(self) -> Image:
        """Returns the image and the commit, by which two versions are the same release."""
        return Image(self.image, self.commit)


@dataclass(frozen=True)
class Recorded:
    """A version of a record in SSM; `release` is None if it cannot be read as a release."""

    version: int
    release: Release | None

    @property
    def what(self) -> Image | None:
        """Returns that of its release."""
        return self.release.what if self.release else None


@dataclass(frozen=True)
class Releases:
    """The release records of one environment.

    `ssm` acts in the environment's account, `ecr` in the project's.
    """

    project: Project
    environment: Environment
    ssm: Any
    ecr: Any

    def latest(self, service: str) -> Recorded | None:
        """Returns the current version of a service's record, or None if it was never released."""
        try:
            found = self.ssm.get_parameter(Name=self._parameter(service))
        except self.ssm.exceptions.ParameterNotFound:
            return None
        return _recorded(found["Parameter"])

    def current(self, service: str) -> Release | None:
        """Returns the recorded release of a service, or None if it has none or it cannot be read."""
        latest = self.latest(service)
        return latest.release if latest else None

    def deployable(self, service: str) -> Release | None:
        """Returns the recorded release of a service if the registry has its image.

        A record outlives its environment and its registry. Raises OpsError if the registry cannot
        be read.
        """
        current = self.current(service)
        return current if current and self.tags(current.image) is not None else None

    def history(self, service: str) -> tuple[Recorded, ...]:
        """Returns every version that SSM has kept, newest first; empty if the service was never released."""
        pages = self.ssm.get_paginator("get_parameter_history").paginate(Name=self._parameter(service))
        try:
            versions = [_recorded(version) for page in pages for version in page["Parameters"]]
        except self.ssm.exceptions.ParameterNotFound:
            return ()
        return tuple(sorted(versions, key=lambda recorded: recorded.version, reverse=True))

    def record(
        self,
        service: str,
        image: str,
        commit: str,
        why: str = "",
        expected_version: int | None = None,
        restores: int = 0,
        undoes: int = 0,
    ) -> bool:
        """Makes an image the one that a service runs, and returns False if it already is.

        `expected_version` is the current version that the decision was based on, 0 for none; by
        default it is read first. `restores` and `undoes` are those of `Release`.

        Raises UsageError if service, image or commit is invalid. Raises OpsError if the registry
        does not have the image, or has it without a tag and so will delete it, and if somebody else
        records or has recorded something else meanwhile.
        """
        self.check(service, image, commit)
        before = self.latest(service)
        if expected_version is None:
            expected_version = before.version if before else 0
        self.kept_tags(image)
        if before and before.version == expected_version and before.what == Image(image, commit):
            return False
        with self._locked(service):
            latest = self.latest(service)
            if (latest.version if latest else 0) != expected_version:
                if latest and latest.what == Image(image, commit):
                    return False
                raise OpsError(
                    f"{self._describe(latest)} meanwhile, so nothing was recorded. {self._advice()}"
                )
            release = Release(image, commit, who(), _now(), why, restores=restores, undoes=undoes)
            self._write(service, release, latest)
        return True

    def settle(self, service: str, version: int, state: str, why: str = "") -> int:
        """Records the state that the release of a version has got into, with `why` if that is given.

        Returns the version that says so, or 0, and records nothing, if that version is no longer the
        current one. Raises OpsError if somebody else records meanwhile.
        """
        with self._locked(service):
            latest = self.latest(service)
            if latest is None or latest.release is None or latest.version != version:
                return 0
            if latest.release.state == state:
                return version
            # A failure is no reason for the state that follows it.
            kept = "" if latest.release.state == FAILED else latest.release.why
            release = replace(latest.release, state=state, since=_now(), why=why or kept)
            return self._write(service, release, latest)

    def tags(self, image: str) -> tuple[str, ...] | None:
        """Returns the tags that an image has in the registry, or None if the image is not there.

        Raises OpsError if the registry cannot be read.
        """
        name, _, digest = image.partition("@")
        host, _, repository = name.partition("/")
        try:
            found = self.ecr.describe_images(
                registryId=self.project.account_id,
                repositoryName=repository,
                imageIds=[{"imageDigest": digest}],
            )
        except (self.ecr.exceptions.ImageNotFoundException, self.ecr.exceptions.RepositoryNotFoundException):
            return None
        except ClientError as error:
            raise OpsError(
                f"The image could not be looked up in {host}: {error.response['Error']['Message']}"
            ) from None
        return tuple(found["imageDetails"][0].get("imageTags", ()))

    def _locked(self, service: str) -> AbstractContextManager[None]:
        lock = release_lock(self.project, self.environment.name, service)
        return locked(self.ssm, lock, who(), f"recording a release of {service} in {self.environment.name}")

    def _write(self, service: str, release: Release, before: Recorded | None) -> int:
        """Writes the next version and returns its number.

        Raises OpsError if somebody wrote one without the lock.
        """
        try:
            written: int = self.ssm.put_parameter(
                Name=self._parameter(service),
                Value=json.dumps(asdict(release)),
                Type="String",
                Overwrite=before is not None,
            )["Version"]
        except self.ssm.exceptions.ParameterAlreadyExists:
            if self.current(service) == release:
                return 1  # a retry, since the answer to the first request was lost
            raise OpsError(
                f"Somebody recorded a release meanwhile, so nothing was. {self._advice()}"
            ) from None
        expected = before.version if before else 0
        if written == expected + 1:
            return written
        # A write whose answer was lost is retried: then both versions are this release.
        between = [found for found in self.history(service) if expected < found.version < written]
        if other := next((found for found in between if found.release != release), None):
            raise OpsError(
                f"{self._describe(other)} at the same time, and this release is version {written}, in force "
                f"now. {self._advice()}"
            )
        return written

    def _describe(self, recorded: Recorded | None) -> str:
        if recorded is None:
            return "Somebody removed the record"
        release = recorded.release
        if release is None:
            return f"Somebody wrote something that is not a release record (version {recorded.version})"
        return f"{release.by} recorded {release.image} of {release.commit} (version {recorded.version})"

    def _advice(self) -> str:
        return f"Look at `make releases ENV={self.environment.name}` and try again if it is still right."

    def _parameter(self, service: str) -> str:
        return release_parameter(self.project, self.environment.name, service)

    def check(self, service: str, image: str, commit: str) -> None:
        """Raises UsageError if service, image or commit is invalid."""
        self.check_image(service, image)
        if not COMMIT_ID.fullmatch(commit):
            raise UsageError(
                f"COMMIT={commit} is not a commit's id: 7 to 64 hexadecimal digits (git rev-parse HEAD)."
            )

    def check_image(self, service: str, image: str) -> None:
        """Raises UsageError unless the environment releases `service`, and `image` is one of it by digest."""
        known = services_by_image(self.project, self.environment)
        if service not in known:
            raise UsageError(
                f"SERVICE={service} is not the name of an image of {self.environment.name}. Use one of "
                f"{', '.join(known)}."
            )
        repository = f"{registry(self.project)}/{repository_name(self.project, service)}"
        name, _, digest = image.partition("@")
        if name != repository or not DIGEST.fullmatch(digest):
            raise UsageError(
                f"IMAGE={image} is not an image of this service by digest: it has the form "
                f"{repository}@sha256:<64 hexadecimal digits>. A tag is not enough, since it can move."
            )

    def kept_tags(self, image: str) -> tuple[str, ...]:
        """Returns the tags of an image that the registry has and keeps.

        Raises OpsError if the registry does not have it, or will delete it because it has no tag.
        """
        name, _, digest = image.partition("@")
        host, _, repository = name.partition("/")
        tags = self.tags(image)
        if tags is None:
            raise OpsError(
                f"The registry {host} has no image {digest} in {repository}. Push the image first; "
                "`docker buildx imagetools inspect` shows an image's digest."
            )
        if not tags:
            raise OpsError(
                f"The image {digest} in {repository} has no tag, and the registry deletes an image without "
                f"one {self.project.untagged_image_days} days after its push. Push it with its commit as "
                f"tag ({name}:<commit>), then release it."
            )
        return tags


def who() -> str:
    """Returns who records a release: in a workflow who triggered it, else the user of this machine."""
    if os.environ.get("GITHUB_ACTIONS") == "true" and (actor := os.environ.get("GITHUB_ACTOR")):
        return f"{actor} (GitHub)"
    return user_name(os.getuid())


def user_name(uid: int) -> str:
    """Returns the name of a user of this machine, or the id if it has no name, as in a container."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _now() -> str:
    return rfc_3339(datetime.now(UTC))


def _recorded(parameter: Any) -> Recorded:
    return Recorded(parameter["Version"], _release(parameter["Value"]))


def _release(text: str) -> Release | None:
    try:
        content = json.loads(text)
    except ValueError:
        return None
    if not isinstance(content, dict):
        return None
    known = [field for field in fields(Release) if field.name in content]
    if not all(type(content[field.name]) is field.type for field in known):
        return None
    try:
        return Release(**{field.name: content[field.name] for field in known})
    except TypeError:
        return None
