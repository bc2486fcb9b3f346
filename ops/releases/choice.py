"""Which release a person means: a version of a record, the one to go back to, or the commit of a tag."""

import re
from collections.abc import Sequence
from typing import Final

from ops.core.ecs import COMMIT_ID, Image
from ops.core.errors import OpsError, UsageError
from ops.releases.records import FAILED, IN_SERVICE, Recorded, Release

_VERSION: Final = re.compile(r"[1-9][0-9]{0,5}")
_DIGEST: Final = re.compile(r"(?:\S+@)?(sha256:[0-9a-f]{7,64})")


def chosen(history: Sequence[Recorded], to: str) -> tuple[int, Release]:
    """Returns the version and release of `TO=`: a version's number, or the start of a commit or digest.

    `history` has the newest version first; of several versions of one release, the newest is
    returned.

    Raises UsageError if `to` is none of these, or matches several releases. Raises OpsError if no
    kept version matches.
    """
    readable = [(recorded.version, recorded.release) for recorded in history if recorded.release]
    if _VERSION.fullmatch(to):
        return _version(history, readable, int(to))
    if COMMIT_ID.fullmatch(to):
        found = [each for each in readable if each[1].commit.startswith(to)]
    elif digest := _DIGEST.fullmatch(to):
        found = [each for each in readable if each[1].what.digest.startswith(digest[1])]
    else:
        raise UsageError(
            f"TO={to} is not a version's number, a commit or a digest (sha256:...). The first seven digits "
            "of a commit or digest are enough. `make releases` lists them."
        )
    if not found:
        raise OpsError(f"No version that SSM has kept matches {to}. `make releases` lists them.")
    meant = {release.what for _, release in found}
    if len(meant) > 1:
        versions = ", ".join(str(version) for version, _ in found)
        raise UsageError(f"TO={to} matches several releases (versions {versions}). Use the version's number.")
    return found[0]


def previous(history: Sequence[Recorded]) -> tuple[int, Release] | None:
    """Returns the version and release to go back to: the last one in service before the current one.

    `history` has the newest version first. A current version that records a previous one again
    counts as that one, so that going back twice goes further back. A release is left out if its last
    deployment failed or was undone, or if somebody went back from it.
    """
    if not history:
        return None
    releases = {recorded.version: recorded.release for recorded in history if recorded.release}
    current = history[0].version
    while (found := releases.get(current)) and 0 < found.restores < current:
        current = found.restores
    failed = _failed(history)
    seen = {history[0].what}
    for recorded in history:
        if recorded.release is None or recorded.what in seen:
            continue
        if recorded.version in failed:
            seen.add(recorded.what)
        elif recorded.release.state == IN_SERVICE:
            if recorded.version < current:
                return recorded.version, recorded.release
            seen.add(recorded.what)
    return None


def has_failed(history: Sequence[Recorded], what: Image) -> bool:
    """Whether the last that became of a release is that its deployment failed, undone or not.

    `history` has the newest version first.
    """
    failed = _failed(history)
    for recorded in history:
        if recorded.what == what and recorded.release:
            if recorded.version in failed:
                return True
            if recorded.release.state == IN_SERVICE:
                return False
    return False


def restored(history: Sequence[Recorded], what: Image) -> int:
    """Returns the newest version of a release that was in service, or 0 if none is known to have been."""
    return next(
        (
            recorded.version
            for recorded in history
            if recorded.what == what and recorded.release and recorded.release.state == IN_SERVICE
        ),
        0,
    )


def commit_of(tags: Sequence[str], image: str) -> str:
    """Returns the commit that an image's tags name.

    Raises UsageError if they name no commit, or several.
    """
    commits = [tag for tag in tags if COMMIT_ID.fullmatch(tag)]
    if len(commits) == 1:
        return commits[0]
    named = f"its tags are {', '.join(tags)}" if tags else "it has no tag"
    raise UsageError(
        f"COMMIT is missing, and the registry does not name exactly one commit of {image}: {named}. "
        "Give the commit: COMMIT=<commit>."
    )


def _failed(history: Sequence[Recorded]) -> frozenset[int]:
    """Returns the versions whose deployment failed, undone or not."""
    undone = {recorded.release.undoes for recorded in history if recorded.release}
    return frozenset(
        recorded.version
        for recorded in history
        if recorded.version in undone or (recorded.release and recorded.release.state == FAILED)
    )


def _version(
    history: Sequence[Recorded], readable: Sequence[tuple[int, Release]], wanted: int
) -> tuple[int, Release]:
    for version, release in readable:
        if version == wanted:
            return version, release
    if any(recorded.version == wanted for recorded in history):
        raise OpsError(
            f"Version {wanted} is not a release record that can be read. `make releases` lists them."
        )
    raise OpsError(
        f"There is no version {wanted}: SSM has kept the versions {history[-1].version} to "
        f"{history[0].version}. `make releases` lists them."
    )
