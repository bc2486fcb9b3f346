"""The tag of an image by its content."""

import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.errors import UsageError
from ops.images.content import content_tag, is_ignored, patterns
from stacks.images import Image as Source

SHOP = Source("shop", dockerfile="shop/Dockerfile", context="shop")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    shop = tmp_path / "shop"
    (shop / "app").mkdir(parents=True)
    (shop / "Dockerfile").write_text("FROM scratch\nCOPY app /app\n")
    (shop / "app/main.py").write_text("print()\n")
    (shop / ".dockerignore").write_text("**/*.pyc\nnotes\n")
    return tmp_path


def test_it_is_a_tag_and_no_commit(root: Path) -> None:
    assert re.fullmatch(r"content-[0-9a-f]{64}", content_tag(root, SHOP))


def test_times_and_what_a_build_does_not_see_are_no_part_of_it(root: Path) -> None:
    before = content_tag(root, SHOP)
    os.utime(root / "shop/app/main.py", (1, 1))
    (root / "shop/app/main.pyc").write_text("compiled")
    (root / "shop/notes").mkdir()
    (root / "shop/notes/idea").write_text("an idea")
    (root / "elsewhere").write_text("something else")
    assert content_tag(root, SHOP) == before


CHANGES = {
    "a file's bytes": lambda shop: (shop / "app/main.py").write_text("print(1)\n"),
    "a file's name": lambda shop: (shop / "app/main.py").rename(shop / "app/other.py"),
    "a new file": lambda shop: (shop / "app/new.py").write_text(""),
    "that it may be executed": lambda shop: (shop / "app/main.py").chmod(0o755),
    "the Dockerfile": lambda shop: (shop / "Dockerfile").write_text("FROM other\nCOPY app /app\n"),
    "where a link leads": lambda shop: (shop / "app/link").symlink_to("main.py"),
    "what is ignored": lambda shop: (shop / ".dockerignore").write_text("**/*.py\n"),
}


@pytest.mark.parametrize("what", CHANGES)
def test_all_that_a_build_sees_is_part_of_it(what: str, root: Path) -> None:
    before = content_tag(root, SHOP)
    CHANGES[what](root / "shop")
    assert content_tag(root, SHOP) != before


def test_options_are_part_of_it(root: Path) -> None:
    tags = [
        content_tag(root, source)
        for source in (
            SHOP,
            replace(SHOP, target="app"),
            replace(SHOP, build_args={"A": "1"}),
            replace(SHOP, build_args={"A": "2"}),
            replace(SHOP, architecture="arm64"),
        )
    ]
    assert len(set(tags)) == len(tags)
    both = {"A": "1", "B": "2"}
    assert content_tag(root, replace(SHOP, build_args=both)) == content_tag(
        root, replace(SHOP, build_args=dict(reversed(both.items())))
    )


def test_a_dockerfile_may_have_an_ignore_file_of_its_own(root: Path) -> None:
    (root / "shop/Dockerfile.dockerignore").write_text("*\n")
    before = content_tag(root, SHOP)
    (root / "shop/app/main.py").write_text("print(1)\n")
    assert content_tag(root, SHOP) == before


@pytest.mark.parametrize("source", [replace(SHOP, dockerfile="none"), replace(SHOP, context="none")])
def test_what_is_not_there_is_named(source: Source, root: Path) -> None:
    with pytest.raises(
        UsageError, match=r"services\.shop\.(dockerfile|context) = 'none': .* has no such (file|folder)\."
    ):
        content_tag(root, source)


@pytest.mark.parametrize(
    ("lines", "ignored", "seen"),
    [
        ("*.md", ["a.md"], ["a/b.md", "a.mdx"]),
        ("**/*.md", ["a.md", "a/b.md", "a/b/c.md"], ["a.txt"]),
        ("*/temp*", ["a/temporary", "a/temp/x"], ["temp", "a/b/temp"]),
        ("temp?", ["tempa", "tempb/x"], ["temp", "tempab"]),
        ("/docs", ["docs", "docs/a"], ["other/docs"]),
        ("docs/", ["docs/a"], ["docsx"]),
        ("./docs/../docs", ["docs/a"], ["a"]),
        ("*\n!webapp\n**/__pycache__", ["ops", "webapp/__pycache__/a"], ["webapp/a"]),
        ("docs\n!docs/keep", ["docs/a"], ["docs/keep", "docs/keep/a"]),
        ("*.md\n!README*.md\nREADME-secret.md", ["a.md", "README-secret.md"], ["README.md"]),
        ("# *.py\n\n  a.txt  ", ["a.txt"], ["b.py"]),
        ("[a-c].py", ["b.py"], ["d.py"]),
        ("[^a].py", ["b.py"], ["a.py"]),
        ("a\\*b", ["a*b"], ["axb"]),
        ("a/**", ["a/b", "a/b/c"], ["b"]),
        ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/b"]),
        ("a.b", ["a.b"], ["aXb"]),
    ],
)
def test_an_ignore_file_means_what_it_means_to_docker(
    lines: str, ignored: list[str], seen: list[str]
) -> None:
    found = patterns(lines.splitlines())
    assert [path for path in [*ignored, *seen] if is_ignored(path, found)] == ignored


NAMES = st.sampled_from(["a", "b", "a.py", "docs"])
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)
LINES = st.builds(
    "{}{}".format,
    st.sampled_from(["", "!"]),
    st.lists(st.sampled_from(["a", "b", "*", "**", "*.py", "docs", "?"]), min_size=1, max_size=3).map(
        "/".join
    ),
)


@given(lines=st.lists(LINES, max_size=5), path=PATHS)
def test_a_directory_is_left_out_only_if_nothing_in_it_is_seen(lines: list[str], path: str) -> None:
    """The walk does not go into a directory that is ignored unless an exception may be in it."""
    found = patterns(lines)
    parents = ["/".join(path.split("/")[:count]) for count in range(1, path.count("/") + 1)]
    left_out = any(
        is_ignored(parent, found)
        and not any(not each.excludes and each.may_match_in(parent) for each in found)
        for parent in parents
    )
    assert not left_out or is_ignored(path, found)
