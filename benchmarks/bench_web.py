"""How fast the app is, beside bare Starlette, a raw aiobotocore loop and the same service in FastAPI.

All are measured in one run, in turns, by wrk over the loopback; every figure is the median of the
rounds. AWS is a stand-in that is faster than any of them (`benchmarks/web/replay.py`). The table goes
to the terminal and to `.oaktree/bench-web.md`. Needs wrk, and Linux for the memory.

With `--smallest`, which only shows that everything works, it takes seconds, prints the table to the
terminal alone, and does without wrk.
"""

import argparse
import platform
import socket
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx

from benchmarks.web import wrk
from benchmarks.web.servers import ROOT, Server, serving
from benchmarks.web.wrk import Load, WrkError
from tests.serving import free_port
from tests.webapp.environment import AUTHORIZED, TOKEN_SHA256, environ_of
from tests.webapp.furnishing import furnish
from tests.webapp.processes import running_moto
from webapp.contract import HEALTH_PATH, STATUS_PATH

RESULT: Final = ROOT / ".oaktree" / "bench-web.md"


@dataclass(frozen=True)
class Size:
    """How much is measured: rounds of so many seconds each, starts, and requests for the memory."""

    rounds: int
    seconds: float
    connections: int
    starts: int
    warm_requests: int
    requests: int
    needs_wrk: bool

    def ask(self, url: str, *, compressed: bool = False) -> Load:
        """The load of one round on a URL, of clients that may accept gzip."""
        ask = wrk.run if self.needs_wrk else wrk.stand_in
        headers = {"Accept-Encoding": "gzip"} if compressed else {"Accept-Encoding": "identity"}
        return ask(url, headers, seconds=self.seconds, connections=self.connections)


WHOLE: Final = Size(5, 3.0, 32, 5, 20_000, 100_000, needs_wrk=True)
SMALLEST: Final = Size(1, 0.1, 2, 1, 8, 8, needs_wrk=False)


@dataclass(frozen=True)
class Target:
    """What wrk asks for, and whether it accepts gzip."""

    name: str
    url: str
    compressed: bool = False


@dataclass(frozen=True)
class Ratio:
    """One figure over another, and how much is wanted."""

    name: str
    one: float
    other: float
    wanted: float

    @property
    def value(self) -> float:
        """The ratio."""
        return self.one / self.other


def main() -> None:
    """Measures, and writes the table."""
    parser = argparse.ArgumentParser(description="Measure the app.")
    parser.add_argument("--smallest", action="store_true", help="only show that everything works")
    size = SMALLEST if parser.parse_args().smallest else WHOLE
    try:
        table = measure(size)
    except WrkError as error:
        print(error, file=sys.stderr)
        sys.exit(1)
    if size is WHOLE:
        RESULT.parent.mkdir(exist_ok=True)
        RESULT.write_text(table)
    print(table)


def measure(size: Size) -> str:
    """The table of one run."""
    with ExitStack() as stack:
        endpoint, incident = stack.enter_context(_aws())
        variables = environ_of(endpoint) | {"CHECK_INTERVAL": "15"}
        app = stack.enter_context(_app(variables))
        document = len(httpx.get(app.url + STATUS_PATH).content)
        bare = stack.enter_context(_bare(document))
        usual = stack.enter_context(_usual(variables))
        incident_path = f"/api/incidents/{incident}"
        targets = [
            Target("bare", bare.url + "/healthz"),
            Target("bare bytes", bare.url + "/bytes"),
            Target("health", app.url + HEALTH_PATH),
            Target("status", app.url + STATUS_PATH),
            Target("incident", app.url + incident_path),
            Target("page", app.url + "/"),
            Target("page, compressed", app.url + "/", compressed=True),
            Target("usual health", usual.url + "/healthz"),
            Target("usual status", usual.url + "/api/status"),
            Target("usual incident", usual.url + incident_path),
        ]
        loads: dict[str, list[Load]] = {target.name: [] for target in targets}
        raw: list[float] = []
        for number in range(size.rounds):
            print(f"bench-web: round {number + 1} of {size.rounds}", file=sys.stderr)
            for target in targets:
                loads[target.name].append(size.ask(target.url, compressed=target.compressed))
            raw.append(_raw_loop(size, variables, incident))
        hanging = _while_dynamodb_hangs(size, variables)
        memory = _memory(size, variables, incident_path)
        first = {"the app": app, "bare Starlette": bare, "FastAPI and boto3": usual}
        starts = _starts(size, variables, document, first)
    return report(size, loads, raw, hanging, memory, starts)


def report(
    size: Size,
    loads: Mapping[str, Sequence[Load]],
    raw: Sequence[float],
    hanging: Sequence[Load],
    memory: tuple[float, float],
    starts: Mapping[str, float],
) -> str:
    """The table in Markdown; memory in MiB before and after, starts in seconds."""
    rate = {name: statistics.median(load.rate for load in found) for name, found in loads.items()}
    p99 = {name: statistics.median(load.p99 for load in found) for name, found in loads.items()}
    reads = statistics.median(raw)
    ratios = [
        Ratio("`/healthz` to a bare Starlette route", rate["health"], rate["bare"], 1.0),
        Ratio("`/api/status` to a bare route of as many bytes", rate["status"], rate["bare bytes"], 0.95),
        Ratio("the page, compressed, to a bare Starlette route", rate["page, compressed"], rate["bare"], 0.7),
        Ratio("a read of an incident to a raw aiobotocore loop", rate["incident"], reads, 0.85),
        Ratio("`/api/status` to FastAPI and boto3 in threads", rate["status"], rate["usual status"], 1.5),
        Ratio("a read of an incident to the same", rate["incident"], rate["usual incident"], 1.5),
        Ratio("`/healthz` to the same", rate["health"], rate["usual health"], 1.5),
    ]
    before, after = memory
    hung = statistics.median(load.p99 for load in hanging)
    answers = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in starts.items())
    lines = [
        (
            f"Python {platform.python_version()}, {size.connections} connections, "
            f"{size.rounds} rounds of {size.seconds:g} s"
        ),
        "",
        "| program and path | requests/s | from | to | p50 ms | p99 ms |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for name, found in loads.items():
        p50 = statistics.median(load.p50 for load in found)
        least, most = min(load.rate for load in found), max(load.rate for load in found)
        figures = f"{rate[name]:,.0f} | {least:,.0f} | {most:,.0f} | {p50:.2f} | {p99[name]:.2f}"
        lines.append(f"| {name} | {figures} |")
    lines += [
        f"| raw aiobotocore loop | {reads:,.0f} | {min(raw):,.0f} | {max(raw):,.0f} | | |",
        "",
        "| ratio | is | wanted | |",
        "|---|---:|---:|---|",
    ]
    for ratio in ratios:
        verdict = "kept" if ratio.value >= ratio.wanted else "missed"
        lines.append(f"| {ratio.name} | {ratio.value:.2f} | ≥ {ratio.wanted:g} | {verdict} |")
    lines += [
        "",
        f"p99 of `/healthz` while DynamoDB hangs: {hung:.2f} ms, else {p99['health']:.2f} ms",
        f"start to first answer: {answers}",
        f"resident memory after {size.requests:,} further requests: {after:.1f} MiB, before {before:.1f} MiB",
        "",
    ]
    if not size.needs_wrk:
        lines += ["Python asked instead of wrk, which says that it works and not how fast.", ""]
    return "\n".join(lines)


@contextmanager
def _aws() -> Iterator[tuple[str, str]]:
    """The address of the stand-in, and the id of an incident it knows."""
    with running_moto() as moto:
        furnish(moto)
        with _app(environ_of(moto) | {"WRITE_TOKEN_SHA256": TOKEN_SHA256}) as app:
            made = httpx.post(
                app.url + "/api/incidents",
                headers=AUTHORIZED,
                json={
                    "title": "Slow answers",
                    "message": "We are looking into it.",
                    "components": ["status.table"],
                },
            )
        identifier = made.raise_for_status().json()["id"]
        port = free_port()
        with serving(
            ["-m", "benchmarks.web.replay", str(port), moto], port, "/moto-api/data.json", {}
        ) as replay:
            yield replay.url, identifier


@contextmanager
def _app(variables: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    arguments = ["-m", "webapp", "--host", "127.0.0.1", "--port", str(port)]
    with serving(arguments, port, HEALTH_PATH, variables) as server:
        yield server


@contextmanager
def _bare(size: int) -> Iterator[Server]:
    port = free_port()
    with serving(["-m", "benchmarks.web.bare", str(port), str(size)], port, "/healthz", {}) as server:
        yield server


@contextmanager
def _usual(variables: Mapping[str, str]) -> Iterator[Server]:
    port = free_port()
    with serving(["-m", "benchmarks.web.usual", str(port)], port, "/healthz", variables) as server:
        yield server


def _raw_loop(size: Size, variables: Mapping[str, str], incident: str) -> float:
    arguments = [str(size.seconds), str(size.connections), "web#incidents", f"incident#{incident}"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.web.raw_loop", *arguments],
        env={"PATH": str(Path(sys.executable).parent), **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


def _while_dynamodb_hangs(size: Size, variables: Mapping[str, str]) -> list[Load]:
    # The system accepts connections for a listener that never does.
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with _app({**variables, "AWS_ENDPOINT_URL_DYNAMODB": address, "CHECK_INTERVAL": "1"}) as app:
            return [size.ask(app.url + HEALTH_PATH) for _ in range(size.rounds)]


def _memory(size: Size, variables: Mapping[str, str], incident_path: str) -> tuple[float, float]:
    """MiB after the warm-up, and after many more requests for everything."""
    with _app(variables) as app:
        urls = [app.url + path for path in (HEALTH_PATH, STATUS_PATH, "/", incident_path)]
        _request(size, urls, size.warm_requests)
        before = app.memory()
        _request(size, urls, size.requests)
        return before, app.memory()


def _request(size: Size, urls: Sequence[str], count: int) -> None:
    for url in urls:
        left = count / len(urls)
        while left > 0:
            left -= size.ask(url).rate * size.seconds


def _starts(
    size: Size, variables: Mapping[str, str], document: int, first: Mapping[str, Server]
) -> dict[str, float]:
    """Median seconds from the start of a process to its first answer; `first` were started already."""
    found = {name: [server.seconds_to_answer] for name, server in first.items()}
    for _ in range(size.starts - 1):
        for name, program in (
            ("the app", _app(variables)),
            ("bare Starlette", _bare(document)),
            ("FastAPI and boto3", _usual(variables)),
        ):
            with program as server:
                found[name].append(server.seconds_to_answer)
    return {name: statistics.median(seconds) for name, seconds in found.items()}


if __name__ == "__main__":
    main()
