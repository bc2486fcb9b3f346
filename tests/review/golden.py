"""Comments of the recorded plans as they should be, and how a comment is compared with one."""

import os
import re
from pathlib import Path
from typing import Final

from review.marker import Marker
from review.reading.stacks import read_stacks
from review.rendering.comment import render
from review.verdicts import Review, review_of

GOLDEN: Final = Path(__file__).with_name("golden")

_RANDOM: Final = (
    (re.compile(r"\b[0-9a-f]{64}\b"), "<sha256>"),
    (re.compile(r"`[0-9a-f]{12}`"), "`<sha256>`"),
    # Ids of EC2: a kind, such as subnet, and 17 hexadecimal digits.
    (re.compile(r"\b([a-z]+)-[0-9a-f]{17}\b"), r"\1-<id>"),
    # The ends of the ARNs of load balancers, their listeners and target groups, perhaps clipped.
    (re.compile(r"/[0-9a-f]{10,16}\b"), "/<id>"),
    (re.compile(r"(oaktree-dev-web-)\d+(\.[a-z0-9-]+\.elb\.)"), r"\1<id>\2"),
    (re.compile(r":\d{10,}"), ":<time>"),
)


def review_in(plans: Path, stacks: tuple[str, ...]) -> Review:
    """The review of the plans in a directory."""
    return review_of(read_stacks([plans], stacks), Marker("oaktree", "", 0))


def comment_of(review: Review) -> str:
    """The comment as it would be posted."""
    return render(review)


def golden(story: str) -> Path:
    """Where the comment of a story is kept."""
    return GOLDEN / f"{story}.md"


def compare(story: str, comment: str) -> None:
    """Assert that a comment is the golden one; with UPDATE_GOLDEN=1, make it so."""
    if os.environ.get("UPDATE_GOLDEN"):
        assert not os.environ.get("CI"), "UPDATE_GOLDEN is for a person who looks at the comments afterwards"
        golden(story).write_text(comment)
    assert comment == golden(story).read_text()


def normalised(comment: str) -> str:
    """A comment without what AWS and Terraform make up anew each time."""
    for pattern, stand_in in _RANDOM:
        comment = pattern.sub(stand_in, comment)
    return comment
