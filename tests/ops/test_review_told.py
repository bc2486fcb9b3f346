"""What a review says at a terminal."""

from pathlib import Path

from ops.github.reviewing import Reviewed, told
from review.model import UNKNOWN
from tests.review.rendering import change, review, stack

PUBLIC = "map_public_ip_on_launch"


def lines(*afters: object) -> list[str]:
    changes = [
        change(f"aws_subnet.a[{index}]", before={PUBLIC: False}, after={PUBLIC: after})
        for index, after in enumerate(afters)
    ]
    return list(told(Reviewed(review(stack(*changes)), Path("out"))))


def test_many_points_of_a_kind_are_counted() -> None:
    found = lines(*[True] * 600)
    assert found.count("    Anything that starts in the subnet gets a public address.") == 3
    assert "  597 more: Made public" in found


def test_what_the_plan_does_not_know_is_a_question() -> None:
    assert "  dev-service aws_subnet.a[0]: Not known: Made public?" in lines(UNKNOWN)
