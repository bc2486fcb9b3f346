"""Each benchmark runs, at its smallest size, and tells what it compares; how fast that is, is not tested."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.bench_synth import WHOLE, settings_of
from stacks.reading import read_platform
from stacks.synthesis import synthesize
from tests.places import ROOT


def smallest(name: str) -> str:
    """What a benchmark prints."""
    done = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{name}", "--smallest"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def figures(table: str, *names: str) -> list[float]:
    """The figures in the second column of a table, of rows by the first."""
    found = [re.search(rf"^\| {re.escape(name)} \| ([\d,.-]+) \|", table, re.MULTILINE) for name in names]
    assert all(found), table
    return [float(match[1].replace(",", "")) for match in found if match]


@pytest.mark.parametrize("count", WHOLE.environments)
def test_settings_with_so_many_environments_can_be_used(count: int, tmp_path: Path) -> None:
    platform = read_platform(settings_of(count, tmp_path / "environments"))
    assert len(platform.environments) == count
    synthesize(platform, tmp_path / "out")


@pytest.mark.e2e
def test_synthesis_is_measured() -> None:
    table = smallest("bench_synth")
    few, many = figures(table, "1 environments, warm", "3 environments, warm")
    assert 0 < few < many
    assert figures(table, "times the empty app, warm")[0] > 0
    assert figures(table, "seconds for each further 100 resources")
    assert "CDKTF as it comes were left out" in table


def test_reviews_are_measured() -> None:
    table = smallest("bench_review")
    assert figures(table, "30", "100", "300")
    assert figures(table, "growth: the last step to those before")


@pytest.mark.e2e
def test_terraform_at_a_desk_is_measured() -> None:
    assert all(figures(smallest("bench_terraform"), "validate", "plan", "show"))


@pytest.mark.e2e
def test_the_app_is_measured() -> None:
    table = smallest("bench_web")
    ratios = figures(
        table,
        "`/healthz` to a bare Starlette route",
        "`/api/status` to a bare route of as many bytes",
        "a read of an incident to a raw aiobotocore loop",
        "`/api/status` to FastAPI and boto3 in threads",
    )
    assert all(ratio > 0 for ratio in ratios)
    for words in (
        "p99 of `/healthz` while DynamoDB hangs",
        "start to first answer",
        "resident memory after 8 ",
    ):
        assert words in table
