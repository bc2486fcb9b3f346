"""The table of prices as it is, and tables that cannot be used."""

import tomllib
from decimal import Decimal
from pathlib import Path

import pytest

from review.cost.charges import RULES
from review.cost.prices import PRICES, PriceError, left_out, meters, monthly, read_prices
from review.reading.billed import ATTRIBUTES


def test_every_price_has_a_date_and_a_source_and_is_written_as_text() -> None:
    """A float of TOML would not be the price that AWS writes."""
    for region, rows in tomllib.loads(PRICES.read_text()).items():
        for key, row in rows.items():
            assert isinstance(row["usd"], str), (region, key)
            assert len(row["source"]) > 20, (region, key)


@pytest.mark.parametrize(
    ("region", "key", "month"),
    [
        ("us-east-1", "nat", "32.85"),
        ("us-east-1", "rds.db.t4g.small.multi", "47.45"),
        ("us-east-1", "valkey.cache.t4g.micro", "9.344"),
        ("eu-central-1", "alb", "19.71"),
        ("eu-central-1", "rds.gp3.single", "0.137"),
        ("eu-central-1", "fargate.arm64.vcpu", "27.1925"),
    ],
)
def test_an_hour_counts_730_times_a_month(region: str, key: str, month: str) -> None:
    price = read_prices().find(region, key)
    assert price
    assert monthly(meters()[key], price) == Decimal(month)


def test_what_has_no_verified_price_is_missing() -> None:
    missing = {meter.key for meter in read_prices().missing("eu-central-1")}
    assert {"fargate.spot.arm64.vcpu", "rds.db.t4g.small.single", "alarm.composite"} <= missing
    assert "nat" not in missing


def test_a_type_is_charged_or_left_out_for_one_reason() -> None:
    by_use, without_price = left_out()
    assert not by_use.keys() & without_price.keys()
    assert not without_price.keys() & RULES.keys()
    # A table may be of either kind.
    assert by_use.keys() & RULES.keys() == {"aws_dynamodb_table"}
    read_for_others = {"aws_appautoscaling_target", "aws_ecs_task_definition"}
    assert ATTRIBUTES.keys() - read_for_others == RULES.keys()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "prices.toml: "),
        ('us-east-1 = "x"', "us-east-1: a table of prices by key"),
        ('[us-east-1]\nnatt = { usd = "1" }', 'us-east-1."natt": no meter of meters.toml has this key'),
        ("[us-east-1]\nnat = 1", 'us-east-1."nat": write'),
        ('[us-east-1]\nnat = { usd = "0", as_of = 2026-01-01, source = "x" }', "with a price above 0"),
        ('[us-east-1]\nnat = { usd = "NaN", as_of = 2026-01-01, source = "x" }', "with a price above 0"),
        ('[us-east-1]\nnat = { usd = "one", as_of = 2026-01-01, source = "x" }', "with a price above 0"),
        ('[us-east-1]\nnat = { usd = "1", as_of = "today", source = "x" }', "as_of = 2026-09-11"),
        ('[us-east-1]\nnat = { usd = "1", as_of = 2026-01-01, source = "" }', 'source = "where it is from"'),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "prices.toml"
    file.write_text(text)
    with pytest.raises(PriceError) as error:
        read_prices(file)
    assert told in str(error.value)


def test_a_table_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PriceError, match="No such file"):
        read_prices(tmp_path / "prices.toml")
