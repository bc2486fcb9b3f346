"""Charts of response times: p50 and p95 of a check, as SVG paths and as a table."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Final

WIDTH: Final = 720
HEIGHT: Final = 160
"""Units of the drawing."""

POINTS: Final = 144
"""Points of a line: 10 minutes each in a day, 70 minutes in a week."""

TABLE_ROWS: Final = 24

_STEPS: Final = (1.0, 2.0, 5.0)


@dataclass(frozen=True)
class Sample:
    """The latencies of one slot, in milliseconds."""

    at: datetime
    p50: float
    p95: float


@dataclass(frozen=True)
class Chart:
    """The response times of a range of time: `start` to `end`, in milliseconds up to `top`.

    `p50` and `p95` are paths that break where there is no data, `band` is the area between them. `points` has
    the time and both values of each point, `rows` fewer of them, for the table.
    """

    start: datetime
    end: datetime
    top: float
    p50: str
    p95: str
    band: str
    points: tuple[Sample, ...]
    rows: tuple[Sample, ...]


def chart_of(samples: Sequence[Sample], start: datetime, end: datetime) -> Chart | None:
    """Returns the chart of the samples from `start` on and before `end`; None without samples.

    A point is the median of its slots' p50 and the highest of their p95.
    """
    within = [sample for sample in samples if start <= sample.at < end]
    if not within:
        return None
    points = _thinned(within, start, end, POINTS)
    top = _ceiling(max(point.p95 for point in points))
    width = (end - start) / POINTS
    runs = _runs(points, width)

    def line(run: Sequence[Sample], values: Sequence[float]) -> list[str]:
        middles = [(sample.at - start + width / 2) / (end - start) * WIDTH for sample in run]
        return [f"{x:.0f} {HEIGHT * (1 - y / top):.1f}" for x, y in zip(middles, values, strict=True)]

    p50 = [line(run, [sample.p50 for sample in run]) for run in runs]
    p95 = [line(run, [sample.p95 for sample in run]) for run in runs]
    return Chart(
        start=start,
        end=end,
        top=top,
        p50="".join(_path(each) for each in p50),
        p95="".join(_path(each) for each in p95),
        band="".join(
            f"{_path([*high, *reversed(low)])}z" for high, low in zip(p95, p50, strict=True) if len(low) > 1
        ),
        points=points,
        rows=_thinned(within, start, end, TABLE_ROWS),
    )


def _thinned(samples: Sequence[Sample], start: datetime, end: datetime, count: int) -> tuple[Sample, ...]:
    width = (end - start) / count
    gathered: dict[int, list[Sample]] = {}
    for sample in samples:
        gathered.setdefault((sample.at - start) // width, []).append(sample)
    return tuple(
        Sample(
            at=start + place * width,
            p50=median(sample.p50 for sample in some),
            p95=max(sample.p95 for sample in some),
        )
        for place, some in sorted(gathered.items())
    )


def _runs(points: Sequence[Sample], width: timedelta) -> list[list[Sample]]:
    """Returns the points in runs without a gap."""
    runs: list[list[Sample]] = []
    for point in points:
        if runs and point.at - runs[-1][-1].at < 1.5 * width:
            runs[-1].append(point)
        else:
            runs.append([point])
    return runs


def _path(points: Sequence[str]) -> str:
    # A line from a point to itself: with round ends, a lone point is a dot.
    return "M" + "L".join(points if len(points) > 1 else [points[0], points[0]])


def _ceiling(value: float) -> float:
    """Returns the next number above a value of those that read well on an axis: 1, 2 or 5 and zeros."""
    exponent = math.floor(math.log10(max(value, 1)))
    return next(
        step * 10.0**power
        for power in (exponent, exponent + 1)
        for step in _STEPS
        if step * 10.0**power >= value
    )
