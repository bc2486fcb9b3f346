"""The cost in the comment and in the verdict file."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from review.marker import Marker
from review.reading.stacks import read_stacks
from review.rendering.comment import render
from review.rendering.cost import cost_section, money, signed
from review.rendering.verdict_file import verdict_json
from review.verdicts import Review, review_of
from tests.review.pricing import document, entry

ALB = {"internal": False, "load_balancer_type": "application", "subnets": ["a", "b"]}


@pytest.fixture
def reviewed(tmp_path: Path) -> Any:
    def made(**stacks: dict[str, Any]) -> Review:
        for name, content in stacks.items():
            (tmp_path / f"{name.replace('_', '-')}.json").write_text(json.dumps(content))
        return review_of(read_stacks([tmp_path]), Marker("k", "", 0))

    return made


def test_the_section_has_the_change_the_lines_and_what_has_no_price(reviewed: Any) -> None:
    review = reviewed(
        dev_service=document(
            entry("aws_lb.balancer", {**ALB, "internal": True}, ALB, ("delete", "create")),
            entry("aws_instance.bastion", None, {"instance_type": "t4g.nano"}, ("create",)),
            entry("aws_sqs_queue.orders", None, {}, ("create",)),
            entry("aws_nat_gateway.nat", {}, {}, ("no-op",)),
        )
    )
    assert cost_section(review) == (
        "### Cost\n\n"
        "**+ \\$7.30 a month** "
        "(from \\$57.67 to \\$64.97, list price in `eu-central-1` as of 2026-09-16).\n\n"
        "| resource | is | before | after | a month |\n"
        "| --- | --- | ---: | ---: | ---: |\n"
        "| `aws_lb.balancer` | `ALB, 2 public addresses` | \\$19.71 | \\$27.01 | + \\$7.30 |\n\n"
        "1 changed resource has no full price here:\n\n"
        "- `aws_instance.bastion`: `it has no price here`\n\n"
        "Fixed costs only: no requests, traffic or processed data, and of a service the fewest tasks that it "
        "scales to. By use only: SQS."
    )
    assert f"\n\n{cost_section(review)}\n\n### " in render(review)


def test_nothing_is_said_when_nothing_with_a_price_changes(reviewed: Any) -> None:
    review = reviewed(
        dev_service=document(
            entry("aws_lb.balancer", ALB, {**ALB, "idle_timeout": 30}, ("update",)),
            entry("aws_sqs_queue.orders", None, {}, ("create",)),
        )
    )
    assert cost_section(review) == ""
    assert "### Cost" not in render(review)
    assert json.loads(verdict_json(review))["cost"] is None


def test_an_unknown_value_is_said_and_not_assumed(reviewed: Any) -> None:
    new = entry("aws_vpc_endpoint.logs", None, {"vpc_endpoint_type": "Interface"}, ("create",))
    new["change"]["after_unknown"] = {"subnet_ids": True}
    section = cost_section(reviewed(dev_network=document(new)))
    assert "The estimate does not change, but not all that changes has a price here." in section
    assert "- `aws_vpc_endpoint.logs`: `the number of its zones is not known`" in section


def test_many_lines_and_reasons_are_counted(reviewed: Any) -> None:
    entries = [entry(f"aws_eip.a{number}", None, {}, ("create",)) for number in range(9)]
    entries += [entry(f"aws_instance.i{number}", None, {}, ("create",)) for number in range(5)]
    section = cost_section(reviewed(dev_network=document(*entries), dev_service=document()))
    assert "| 3 more lines | | \\$0.00 | \\$10.95 | + \\$10.95 |" in section
    assert (
        "- `aws_instance.i0`, `aws_instance.i1`, `aws_instance.i2` and 2 more: `it has no price here`"
        in section
    )
    assert section.count("\n") < 25


def test_several_stacks_have_a_column(reviewed: Any) -> None:
    review = reviewed(
        dev_network=document(entry("aws_eip.a", None, {}, ("create",))),
        prod_network=document(entry("aws_eip.a", {}, None, ("delete",))),
    )
    section = cost_section(review)
    assert "**\\$0.00 a month** (from \\$3.65 to \\$3.65" in section
    assert "| `dev-network` | `aws_eip.a` | `public address` | \\$0.00 | \\$3.65 | + \\$3.65 |" in section
    assert "| `prod-network` | `aws_eip.a` | `public address` | \\$3.65 | \\$0.00 | - \\$3.65 |" in section


def test_the_verdict_file_has_the_same(reviewed: Any) -> None:
    review = reviewed(
        dev_network=document(
            entry("aws_eip.a", None, {}, ("create",)),
            entry("aws_instance.i", None, {}, ("create",)),
            entry("aws_s3_bucket.b", None, {}, ("create",)),
        )
    )
    assert json.loads(verdict_json(review))["cost"] == {
        "before": "0.00",
        "after": "3.65",
        "regions": ["eu-central-1"],
        "as_of": "2026-09-17",
        "lines": [
            {
                "stack": "dev-network",
                "address": "aws_eip.a",
                "what": "public address",
                "before": "0.00",
                "after": "3.65",
            }
        ],
        "unpriced": [
            {"stack": "dev-network", "address": "aws_instance.i", "reasons": ["it has no price here"]}
        ],
        "unchanged_unpriced": 0,
        "by_use": {"S3": 1},
    }


def test_a_comment_without_room_says_that_the_cost_is_left_out(reviewed: Any) -> None:
    entries = [entry(f"aws_eip.a{number}", None, {}, ("create",)) for number in range(40)]
    review = reviewed(dev_network=document(*entries))
    whole = render(review)
    for budget in range(300, len(whole.encode()), 200):
        text = render(review, budget)
        assert "### Cost" in text or "the cost" in text or budget < 600


def test_values_of_a_plan_stay_in_code(reviewed: Any) -> None:
    hostile = "db.`x` | @octocat\n# Heading"
    values = {"engine": "postgres", "instance_class": hostile, "storage_type": "gp3", "allocated_storage": 20}
    section = cost_section(reviewed(dev_data=document(entry("aws_db_instance.a", None, values, ("create",)))))
    assert "\n# Heading" not in section
    assert "\\n# Heading" in section


def test_amounts_are_rounded_to_cents_half_up() -> None:
    assert money(Decimal("1234.505")) == "$1,234.51"
    assert signed(Decimal("-0.001")) == "$0.00"
    assert (signed(Decimal("3.654")), signed(Decimal("-38.2"))) == ("+ $3.65", "- $38.20")
