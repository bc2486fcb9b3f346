"""The load generator wrk, and what it says."""

import re
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import httpx

_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}

_PATIENCE: Final = 30.0
"""Seconds that the stand-in for wrk waits for the first good answer."""


class WrkError(Exception):
    """wrk is missing, or could not measure. `str()` of it is for a person."""


@dataclass(frozen=True)
class Load:
    """Requests a second, and the 50th and 99th percentile of the latency in milliseconds."""

    rate: float
    p50: float
    p99: float


def run(url: str, headers: Mapping[str, str], *, seconds: float, connections: int) -> Load:
    """Asks for a URL over so many connections. WrkError when an answer is not 2xx or 3xx, or missing."""
    if shutil.which("wrk") is None:
        raise WrkError("wrk is not on the PATH; it is the package wrk of most distributions")
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", *_arguments(headers), url],
        capture_output=True,
        text=True,
        check=False,
    )
    output = done.stdout
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if done.returncode or rate is None:
        raise WrkError(f"wrk could not ask {url}: {output}{done.stderr}")
    if re.search("Non-2xx|Socket errors", output):
        raise WrkError(f"{url} did not answer every request with success:\n{output}")
    return Load(float(rate[1]), _percentile(output, "50%"), _percentile(output, "99%"))


def _arguments(headers: Mapping[str, str]) -> list[str]:
    return [argument for name, value in headers.items() for argument in ("-H", f"{name}: {value}")]


def stand_in(url: str, headers: Mapping[str, str], *, seconds: float, connections: int) -> Load:
    """Does the same in Python's threads, which are slower than what they ask.

    So it shows that everything works, and nothing else: on a machine that is too busy for the app's
    deadlines, it asks again until the app has kept them.
    """
    started = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        found = list(pool.map(lambda _: _ask_until(url, headers, started + seconds), range(connections)))
    taken = sorted(each * 1000 for asked in found for each in asked)
    rate = len(taken) / (time.perf_counter() - started)
    return Load(rate, statistics.median(taken), taken[len(taken) * 99 // 100])


def _ask_until(url: str, headers: Mapping[str, str], deadline: float) -> list[float]:
    """Asks over one connection until there was a good answer and time is up; the seconds of good ones."""
    taken: list[float] = []
    given_up = deadline + _PATIENCE
    with httpx.Client(trust_env=False, headers=dict(headers)) as client:
        while not taken or time.perf_counter() < deadline:
            started = time.perf_counter()
            answer = client.get(url)
            if answer.is_success:
                taken.append(time.perf_counter() - started)
            elif answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or started > given_up:
                raise WrkError(f"{url} did not answer with success: {answer.status_code}")
    return taken


def _percentile(output: str, which: str) -> float:
    match = re.search(rf"{which}\s+([\d.]+)(us|ms|s|m)\b", output)
    if match is None:
        raise WrkError(f"wrk tells no latency of {which}:\n{output}")
    return float(match[1]) * _UNITS[match[2]]
