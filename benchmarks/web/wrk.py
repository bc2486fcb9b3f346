"""The load generator wrk, and what it says."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import Final

_UNITS: Final = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60_000.0}


class WrkError(Exception):
    """wrk is missing, or could not measure. `str()` of it is for a person."""


@dataclass(frozen=True)
class Load:
    """Requests a second, and the 50th and 99th percentile of the latency in milliseconds."""

    rate: float
    p50: float
    p99: float


def run(url: str, *, seconds: float, connections: int) -> Load:
    """Asks for a URL over so many connections. WrkError when an answer is not 2xx or 3xx, or missing."""
    if shutil.which("wrk") is None:
        raise WrkError("wrk is not on the PATH; it is the package wrk of most distributions")
    done = subprocess.run(
        ["wrk", "-t1", f"-c{connections}", f"-d{seconds:g}s", "--latency", url],
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


def _percentile(output: str, which: str) -> float:
    match = re.search(rf"{which}\s+([\d.]+)(us|ms|s|m)\b", output)
    if match is None:
        raise WrkError(f"wrk tells no latency of {which}:\n{output}")
    return float(match[1]) * _UNITS[match[2]]
