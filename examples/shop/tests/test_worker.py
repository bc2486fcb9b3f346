"""The worker, and the check of its heartbeat."""

import os
from pathlib import Path

from programs import Programs, module


def test_it_logs_the_prices_and_ends_with_status_0_on_sigterm(programs: Programs, prices_url: str) -> None:
    worker = programs.worker(prices_url, "--every", "3600")
    assert worker.line("price changed")["now"] == "12.50 EUR"
    assert worker.stop() == 0
    worker.line("stopped")


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
