"""The worker, and the check of its heartbeat."""

import asyncio
import json
import os
from pathlib import Path

import pytest

from programs import Programs, module
from shop.prices import Price, Prices
from shop.worker import look


def test_it_logs_the_prices_and_ends_with_status_0_on_sigterm(programs: Programs, prices_url: str) -> None:
    worker = programs.worker(prices_url, "--every", "3600")
    line = worker.line("price changed")
    assert (line["before"], line["now"]) == (None, "12.50 EUR")
    assert worker.stop() == 0
    worker.line("stopped")


def test_it_logs_only_prices_that_have_changed(prices_url: str, capsys: pytest.CaptureFixture[str]) -> None:
    known = {
        "acorn-mug": Price(1200, "EUR"),
        "leaf-notebook": Price(790, "EUR"),
        "oak-pencil": Price(205, "EUR"),
    }

    async def look_twice() -> None:
        prices = Prices(prices_url)
        await look(prices, known)
        await look(prices, known)
        await prices.close()

    asyncio.run(look_twice())
    (line,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert (line["product"], line["before"], line["now"]) == ("acorn-mug", "12.00 EUR", "12.50 EUR")


def test_it_goes_on_while_there_are_no_prices(programs: Programs, tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    worker = programs.worker("http://127.0.0.1:9", "--every", "0.01", "--heartbeat", str(heartbeat))
    for _ in range(6):  # two rounds of three products
        worker.line("price missing")
    assert heartbeat.exists()
    assert worker.stop() == 0


def test_its_health_check_passes_while_the_heartbeat_is_recent(tmp_path: Path) -> None:
    heartbeat = tmp_path / "heartbeat"
    missing = module("shop.heartbeat", str(heartbeat))
    assert missing.returncode == 1
    assert missing.stderr.startswith("no heartbeat yet: ")
    heartbeat.touch()
    assert module("shop.heartbeat", str(heartbeat)).returncode == 0
    os.utime(heartbeat, (0, 0))
    old = module("shop.heartbeat", str(heartbeat))
    assert old.returncode == 1
    assert old.stderr.startswith("the last heartbeat is ")
