"""The shop's images run as on Fargate: not as root, without capabilities, with a root that is read-only."""

import os
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

import httpx
import pytest

from ops.images.engine import Engine, build_flags
from servers import running_postgres
from tests.places import ROOT
from tests.serving import free_port

pytestmark = pytest.mark.engine

SHOP: Final = ROOT / "examples/shop"
IMAGES: Final = {"oaktree-test/shop-web": SHOP, "oaktree-test/shop-prices": SHOP / "prices"}
WEB, PRICES = IMAGES
NOBODY: Final = "http://127.0.0.1:9"
AWAY: Final = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_ENDPOINT_URL": NOBODY,
    "AWS_REGION": "eu-central-1",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "ORDERS_QUEUE_URL": f"{NOBODY}/1/orders",
    "PRICES_URL": NOBODY,
    "SHOP_HOST": "127.0.0.1",
    "SHOP_NAME": "shop",
    "SHOP_PASSWORD": "secret",
    "SHOP_PORT": "9",
    "SHOP_USER": "shop",
    "UPLOADS_BUCKET": "uploads",
}
"""The variables of the shop when nothing that it uses answers."""


@dataclass(frozen=True)
class Running:
    """A container that runs in the foreground of a process."""

    engine: Engine
    name: str
    process: "subprocess.Popen[bytes]"

    def exec(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a program inside."""
        return subprocess.run(
            (self.engine.executable, "exec", self.name, *command), capture_output=True, text=True, check=False
        )

    def soon(self, *command: str) -> None:
        """Wait until a program inside ends with status 0."""
        deadline = time.monotonic() + 60
        while (done := self.exec(*command)).returncode:
            assert self.process.poll() is None
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.05)

    def stop(self) -> int:
        """Stop it; returns the exit status of its program."""
        self.engine.stop(self.name, 30)
        return self.process.wait(60)


Start = Callable[..., Running]


@pytest.fixture(scope="module", autouse=True)
def images(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Both images, as an engine builds them from their folders."""
    log = tmp_path_factory.mktemp("build") / "log"
    for name, folder in IMAGES.items():
        engine.build(folder, folder / "Dockerfile", name, labels={}, epoch=0, flags=build_flags(), log=log)


@pytest.fixture
def start(engine: Engine) -> Iterator[Start]:
    """Starts containers, and removes those that still run."""
    with ExitStack() as stack:

        def begin(image: str, *command: str, **variables: str) -> Running:
            name = f"oaktree-test-{os.getpid()}-{free_port()}"
            # The volume of `writable_paths`: the engine gives it the owner that the image says.
            volume = ("--volume=/heartbeat",) if image == WEB else ()
            process = subprocess.Popen(
                engine.run_command(image, name, command, sorted(variables), *volume),
                env={**os.environ, **variables},
            )
            stack.callback(process.wait, 60)
            stack.callback(engine.remove, name)
            return Running(engine, name, process)

        yield begin


def _prices(start: Start) -> tuple[Running, int]:
    """The prices service, which answers on this port."""
    port = free_port()
    prices = start(PRICES, "node", "server.mjs", "--host", "127.0.0.1", "--port", str(port))
    prices.soon("node", "health.mjs", str(port))
    return prices, port


def test_a_service_that_is_not_python_answers_one_that_is(start: Start) -> None:
    prices, port = _prices(start)
    assert prices.exec("id", "-u").stdout == "1000\n"
    web_port = str(free_port())
    web = start(
        WEB,
        *("python", "-m", "shop.web", "--host", "127.0.0.1", "--port", web_port),
        **AWAY | {"PRICES_URL": f"http://127.0.0.1:{port}"},
    )
    address = f"http://127.0.0.1:{web_port}"
    web.soon("python", "-c", f"import urllib.request; urllib.request.urlopen('{address}/health')")
    assert web.exec("id", "-u").stdout == "10001\n"
    assert "<td>2.05 EUR" in httpx.get(address).text
    assert [web.stop(), prices.stop()] == [0, 0]


def test_the_worker_writes_its_heartbeat_and_nothing_else(start: Start) -> None:
    heartbeat = "/heartbeat/worker"
    worker = start(WEB, "python", "-m", "shop.worker", "--heartbeat", heartbeat, **AWAY)
    worker.soon("python", "-m", "shop.heartbeat", heartbeat)
    assert "Read-only file system" in worker.exec("touch", "/app/file").stderr
    assert worker.stop() == 0


def test_the_migration_and_the_job_end_with_status_0(start: Start) -> None:
    with running_postgres() as postgres:
        variables = AWAY | postgres.database()
        for task in ("shop.migrate", "shop.cleanup"):
            assert start(WEB, "python", "-m", task, **variables).process.wait(60) == 0
