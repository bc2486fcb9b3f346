"""Images: built from the working tree, tagged with its commit, pushed by digest."""

import base64
import os
import platform
import re
import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from ops.core.checkout import SOURCE
from ops.core.console import rfc_3339
from ops.core.ecs import COMMIT_ID
from ops.core.errors import OpsError, UsageError
from ops.core.git import git
from ops.images.content import content_tag, ignore_file, is_ignored, paths, read_ignore
from ops.images.engine import Engine, Image, build_flags, cache_flags
from stacks.images import Image as Source
from stacks.naming import registry, repository_name
from stacks.settings import Project

DIRTY: Final = "-dirty"
"""Suffix of the tag of an image with uncommitted changes."""

_ECR: Final = re.compile(r"\d{12}\.dkr\.ecr(?:-fips)?\.[a-z0-9-]+\.amazonaws\.com(?:\.cn)?")


@dataclass(frozen=True)
class Named:
    """An image on this machine: what it is built from, its name without tag, the commit that is its tag."""

    repository: str
    commit: str
    source: Source

    @property
    def name(self) -> str:
        """Returns repository and tag."""
        return f"{self.repository}:{self.commit}"


def named(project: Project, source: Source, commit: str) -> Named:
    """Returns an image of a commit, by default that of the working tree.

    Raises UsageError if the commit is invalid, or Git cannot name it.
    """
    commit = commit or _commit_here(source)
    if not COMMIT_ID.fullmatch(commit.removesuffix(DIRTY)):
        raise UsageError(
            f"COMMIT={commit} is not a commit's id: 7 to 64 hexadecimal digits (git rev-parse HEAD)."
        )
    return Named(repository_name(project, source.name), commit, source)


def build(
    engine: Engine, project: Project, wanted: Named, log: Path | None = None, *, native: bool = False
) -> Image:
    """Builds the image of the working tree; the engine's output goes to `log`, or else to stderr.

    `native` builds it for this machine's processor, whatever the settings say. Raises UsageError if the
    Dockerfile or its context does not exist, OpsError if the engine fails.
    """
    epoch = _epoch()
    engine.build(
        *paths(SOURCE, wanted.source),
        wanted.name,
        labels=_labels(project, wanted, epoch),
        epoch=epoch,
        flags=(*_flags(wanted.source, native=native), *cache_flags(engine, wanted.source.name)),
        log=log,
    )
    return find(engine, wanted)


def publish(engine: Engine, project: Project, wanted: Named, repository: str, ecr: Any) -> str:
    """Builds the working tree's image, pushes it with provenance and SBOM, and returns it by digest.

    An image of that commit, or of the same content, that ECR already has is returned instead. The latter
    stays the image of the commit that it was built from, and gets no further tag: ECR takes 1,000 of them.
    Raises the errors of `push` and `content_tag`. Source of the limit: Amazon ECR User Guide, "Quotas".
    """
    target, source = _target(project, wanted, repository), wanted.source
    host, _, path = target.partition("/")
    content = content_tag(SOURCE, source)
    if _ECR.fullmatch(host):
        for tag in (wanted.commit, content):
            if digest := _pushed(ecr, project, path, tag):
                return f"{target}@{digest}"
        engine.log_in(host, *_password(ecr))
    epoch, flags = _epoch(), _flags(source, published=True)
    digest = engine.publish(
        *paths(SOURCE, source),
        f"{target}:{wanted.commit}",
        labels=_labels(project, wanted, epoch),
        epoch=epoch,
        flags=(*flags, *cache_flags(engine, source.name), f"--tag={target}:{content}"),
    )
    return f"{target}@{digest}"


def find(engine: Engine, wanted: Named) -> Image:
    """Returns the image from this machine.

    Raises OpsError if it does not exist here.
    """
    if image := engine.image(wanted.name):
        return image
    raise OpsError(
        f"This machine has no image {wanted.name}. `make image SERVICE={wanted.source.name}` builds the "
        "working tree's image."
    )


def push(engine: Engine, project: Project, wanted: Named, repository: str, ecr: Any) -> str:
    """Pushes an image with its commit as tag, by default to its own repository; returns it by digest.

    `ecr` provides the password if the registry is in ECR. Raises UsageError if the image has
    uncommitted changes, or `repository` has a tag.
    """
    target = _target(project, wanted, repository)
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


def _flags(source: Source, *, native: bool = False, published: bool = False) -> tuple[str, ...]:
    """Returns the options of a build: the person's, then those of the settings.

    An image is built for the processor of the settings, unless it is `native`; a published one says so
    even if that is this machine's.
    """
    own = build_flags()
    machine = "arm64" if platform.machine() in ("arm64", "aarch64") else "x86_64"
    said = any(flag.startswith("--platform") for flag in own)
    foreign = not native and source.architecture != machine
    wanted = f"--platform=linux/{'arm64' if source.architecture == 'arm64' else 'amd64'}"
    return (
        *own,
        *((wanted,) if (published or foreign) and not said else ()),
        *((f"--target={source.target}",) if source.target else ()),
        *(f"--build-arg={name}={value}" for name, value in sorted(source.build_args.items())),
    )


def _target(project: Project, wanted: Named, repository: str) -> str:
    """Returns the repository to push to.

    Raises UsageError as `push` does.
    """
    if wanted.commit.endswith(DIRTY):
        changed = ", ".join(_changed(wanted.source))
        raise UsageError(
            f"The working tree has uncommitted changes ({changed}), so the image has no commit to be named "
            "after. Commit them, then run `make image` and `make image-push`."
        )
    target = repository or f"{registry(project)}/{wanted.repository}"
    _, _, path = target.partition("/")
    if not path or "@" in path or ":" in path:
        raise UsageError(
            f"REPOSITORY={target} is not a repository. Use the form <registry>/<name>, without a tag."
        )
    return target


def _pushed(ecr: Any, project: Project, path: str, tag: str) -> str:
    """Returns the digest of the image with a tag in the registry, or an empty string."""
    try:
        found = ecr.describe_images(
            registryId=project.account_id, repositoryName=path, imageIds=[{"imageTag": tag}]
        )
    except ecr.exceptions.ImageNotFoundException:
        return ""
    return str(found["imageDetails"][0]["imageDigest"])


def _labels(project: Project, wanted: Named, epoch: int) -> dict[str, str]:
    """Returns the image's labels.

    Source: OCI Image Format Specification, "Annotations".
    """
    labels = {
        "title": project.name,
        "source": f"https://github.com/{project.repository}",
        "revision": wanted.commit,
        "version": tomllib.loads((SOURCE / "pyproject.toml").read_text())["project"]["version"],
        "created": rfc_3339(datetime.fromtimestamp(epoch, UTC)),
    }
    return {f"org.opencontainers.image.{name}": value for name, value in labels.items()}


def head() -> str:
    """Returns the commit that the working tree is based on. Raises UsageError if Git cannot name it."""
    return _git("rev-parse", "HEAD")


def _commit_here(source: Source) -> str:
    return head() + (DIRTY if _changed(source) else "")


def _changed(source: Source) -> list[str]:
    """Returns the image's files that have uncommitted changes."""
    always = (source.dockerfile, str(ignore_file(SOURCE, source).relative_to(SOURCE)))
    # In paths with -z, nothing is quoted.
    listed = _git(
        "status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--", source.context, *always
    )
    ignore = read_ignore(SOURCE, source)
    return [
        path
        for path in (entry[3:] for entry in listed.split("\0") if entry)
        if path in always
        or (
            (SOURCE / path).is_relative_to(SOURCE / source.context)
            and not is_ignored(str((SOURCE / path).relative_to(SOURCE / source.context)), ignore)
        )
    ]


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
    # Not of spaces: with -z, the first of two columns of a state may be one.
    return done.stdout.strip("\n")


def _password(ecr: Any) -> tuple[str, str]:
    """Returns user and password of the registry, valid for twelve hours.

    Source: Amazon ECR API Reference, GetAuthorizationToken.
    """
    token = ecr.get_authorization_token()["authorizationData"][0]["authorizationToken"]
    user, _, password = base64.b64decode(token).decode().partition(":")
    return user, password
