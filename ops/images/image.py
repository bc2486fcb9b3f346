"""The app's image: built from the working tree, tagged with its commit, pushed by digest."""

import base64
import os
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ops.core.checkout import SOURCE
from ops.core.ecs import COMMIT_ID
from ops.core.errors import OpsError, UsageError
from ops.core.git import git
from ops.images.engine import Engine, Image, build_flags
from stacks.naming import registry, repository_name
from stacks.settings import Project

CONTENT: Final = (".dockerignore", "docker/Dockerfile", "requirements/app.txt", "webapp")
"""The files that an image is built from."""

DIRTY: Final = "-dirty"
"""Suffix of the tag of an image with uncommitted changes."""

_DOCKERFILE: Final = SOURCE / "docker/Dockerfile"
_ECR: Final = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Named:
    """A service's image on this machine: its name without tag, and the commit that is its tag."""

    repository: str
    commit: str

    @property
    def name(self) -> str:
        """Returns repository and tag."""
        return f"{self.repository}:{self.commit}"


def named(project: Project, service: str, commit: str) -> Named:
    """Returns a service's image of a commit, by default that of the working tree.

    Raises UsageError if the commit is invalid, or Git cannot name it.
    """
    commit = commit or _commit_here()
    if not COMMIT_ID.fullmatch(commit.removesuffix(DIRTY)):
        raise UsageError(
            f"COMMIT={commit} is not a commit's id: 7 to 64 hexadecimal digits (git rev-parse HEAD)."
        )
    return Named(repository_name(project, service), commit)


def build(engine: Engine, project: Project, wanted: Named, log: Path | None = None) -> Image:
    """Builds the image of the working tree; the engine's output goes to `log`, or else to stderr.

    Raises OpsError if the engine fails.
    """
    epoch = _epoch()
    engine.build(
        SOURCE,
        _DOCKERFILE,
        wanted.name,
        labels=_labels(project, wanted, epoch),
        epoch=epoch,
        flags=build_flags(),
        log=log,
    )
    return find(engine, wanted)


def publish(engine: Engine, project: Project, service: str, wanted: Named, repository: str, ecr: Any) -> str:
    """Builds the working tree's image, pushes it with provenance and SBOM, and returns it by digest.

    An image of that commit that the registry already has is returned instead: tags never move.
    Raises the errors of `push`.
    """
    target = _target(project, service, wanted, repository)
    host, _, path = target.partition("/")
    if _ECR.fullmatch(host):
        if digest := _pushed(ecr, project, path, wanted.commit):
            return f"{target}@{digest}"
        engine.log_in(host, *_password(ecr))
    epoch = _epoch()
    digest = engine.publish(
        SOURCE,
        _DOCKERFILE,
        f"{target}:{wanted.commit}",
        labels=_labels(project, wanted, epoch),
        epoch=epoch,
        flags=build_flags(),
    )
    return f"{target}@{digest}"


def find(engine: Engine, wanted: Named) -> Image:
    """Returns the image from this machine.

    Raises OpsError if it does not exist here.
    """
    if image := engine.image(wanted.name):
        return image
    raise OpsError(f"This machine has no image {wanted.name}. `make image` builds the working tree's image.")


def push(engine: Engine, project: Project, service: str, wanted: Named, repository: str, ecr: Any) -> str:
    """Pushes an image with its commit as tag, by default to the service's repository; returns it by digest.

    `ecr` provides the password if the registry is in ECR. Raises UsageError if the image has
    uncommitted changes, or `repository` has a tag.
    """
    target = _target(project, service, wanted, repository)
    host, _, _ = target.partition("/")
    find(engine, wanted)
    if _ECR.fullmatch(host):
        engine.log_in(host, *_password(ecr))
    there = f"{target}:{wanted.commit}"
    engine.tag(wanted.name, there)
    return f"{target}@{engine.push(there)}"


def report(engine: Engine, wanted: Named) -> list[tuple[int, str]]:
    """Returns size in bytes and origin of an image's layers that are not empty; the total comes last."""
    image = find(engine, wanted)
    rows = [(layer.size, layer.made_by) for layer in engine.history(wanted.name) if layer.size]
    return [*rows, (image.size, "in all")]


def _target(project: Project, service: str, wanted: Named, repository: str) -> str:
    """Returns the repository to push to.

    Raises UsageError as `push` does.
    """
    if wanted.commit.endswith(DIRTY):
        raise UsageError(
            f"The working tree has uncommitted changes ({', '.join(_changed())}), so the image has no commit "
            "to be named after. Commit them, then run `make image` and `make image-push`."
        )
    target = repository or f"{registry(project)}/{repository_name(project, service)}"
    _, _, path = target.partition("/")
    if not path or "@" in path or ":" in path:
        raise UsageError(
            f"REPOSITORY={target} is not a repository. Use the form <registry>/<name>, without a tag."
        )
    return target


def _pushed(ecr: Any, project: Project, path: str, commit: str) -> str:
    """Returns the digest of a commit's image in the registry, or an empty string."""
    try:
        found = ecr.describe_images(
            registryId=project.account_id, repositoryName=path, imageIds=[{"imageTag": commit}]
        )
    except ecr.exceptions.ImageNotFoundException:
        return ""
    return str(found["imageDetails"][0]["imageDigest"])


def _labels(project: Project, wanted: Named, epoch: int) -> dict[str, str]:
    """Returns the image's labels.

    Source: OCI Image Format Specification, "Annotations".
    """
    created = datetime.fromtimestamp(epoch, UTC).isoformat().replace("+00:00", "Z")
    labels = {
        "title": project.name,
        "source": f"https://github.com/{project.repository}",
        "revision": wanted.commit,
        "version": tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["version"],
        "created": created,
    }
    return {f"org.opencontainers.image.{name}": value for name, value in labels.items()}


def _commit_here() -> str:
    return _git("rev-parse", "HEAD") + (DIRTY if _changed() else "")


def _changed() -> list[str]:
    """Returns the image's files that have uncommitted changes."""
    listed = _git("status", "--porcelain", "--untracked-files=all", "--", *CONTENT)
    return [line.split(maxsplit=1)[1] for line in listed.splitlines()]


def _epoch() -> int:
    """Returns the image's time in seconds since 1970: `SOURCE_DATE_EPOCH`, else that of the commit.

    Source: reproducible-builds.org, "SOURCE_DATE_EPOCH".
    """
    if given := os.environ.get("SOURCE_DATE_EPOCH", ""):
        if not given.isdecimal():
            raise UsageError(f"SOURCE_DATE_EPOCH={given} is not a number of seconds since 1970.")
        return int(given)
    try:
        return int(_git("log", "-1", "--format=%ct"))
    except UsageError:
        return 0


def _git(*arguments: str) -> str:
    try:
        done = git(SOURCE, *arguments)
    except FileNotFoundError:
        raise UsageError("git is not on PATH, so the commit is unknown. Set COMMIT=<commit>.") from None
    if done.returncode:
        raise UsageError(f"git cannot name the commit: {done.stderr.strip()}\nSet COMMIT=<commit>.")
    return done.stdout.strip()


def _password(ecr: Any) -> tuple[str, str]:
    """Returns user and password of the registry, valid for twelve hours.

    Source: Amazon ECR API Reference, GetAuthorizationToken.
    """
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password
