"""Which release a person means by `TO=`, and which commit an image's tags name."""

import re

import pytest

from ops.core.errors import OpsError, UsageError
from ops.releases.choice import chosen, commit_of
from ops.releases.records import Recorded, Release

IMAGE = "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oaktree/web@sha256:"


def recorded(version: int, commit: str, digit: str) -> Recorded:
    return Recorded(version, Release(IMAGE + digit * 64, commit, "ada", "2026-01-01T00:00:00Z"))


HISTORY = (
    recorded(9, "aaaaaaa1", "1"),
    recorded(8, "bbbbbbb2", "2"),
    Recorded(7, None),
    recorded(6, "aaaaaaa1", "1"),
    recorded(5, "aaaaaaa9", "3"),
)


@pytest.mark.parametrize(
    ("to", "version"),
    [
        ("6", 6),
        ("bbbbbbb", 8),
        ("aaaaaaa1", 9),
        ("sha256:3333333", 5),
        (f"{IMAGE}{'1' * 64}", 9),
    ],
)
def test_of_several_versions_of_a_release_the_newest_is_meant(to: str, version: int) -> None:
    found, release = chosen(HISTORY, to)
    assert found == version
    assert release == next(each.release for each in HISTORY if each.version == version)


@pytest.mark.parametrize(
    ("to", "error", "told"),
    [
        (
            "aaaaaaa",
            UsageError,
            "TO=aaaaaaa matches several releases (versions 9, 6, 5). Use the version's number.",
        ),
        ("main", UsageError, "TO=main is not a version's number"),
        ("sha256:333", UsageError, "TO=sha256:333 is not a version's number"),
        ("ccccccc", OpsError, "No version that SSM has kept matches ccccccc."),
        ("7", OpsError, "Version 7 is not a release record that can be read."),
        ("4", OpsError, "There is no version 4: SSM has kept the versions 5 to 9."),
    ],
)
def test_what_is_not_one_release_is_refused(to: str, error: type[OpsError], told: str) -> None:
    with pytest.raises(error, match=re.escape(told)):
        chosen(HISTORY, to)


def test_tags_name_one_commit_or_none() -> None:
    assert commit_of(["latest", "abcdef0"], "web@sha256:1") == "abcdef0"
    for tags in ((), ("latest",), ("abcdef0", "abcdef1")):
        with pytest.raises(UsageError, match="COMMIT is missing"):
            commit_of(tags, "web@sha256:1")
