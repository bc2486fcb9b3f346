"""What operators scrape: states, latencies, seconds in each state, open incidents and the release.

Source of the format: Prometheus, "Exposition formats", text format 0.0.4.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from webapp.board import Snapshot
from webapp.incidents.models import Progress, Severity, open_at
from webapp.settings import Settings
from webapp.states import State
from webapp.status import Status

MEDIA_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_SECONDS: Final = (State.OPERATIONAL, State.DEGRADED, State.DOWN, State.MAINTENANCE, State.UNKNOWN)

Sample = tuple[Mapping[str, str], float]


def metrics(status: Status, snapshot: Snapshot, settings: Settings, now: datetime) -> bytes:
    """Returns all metrics at a time, given the operators' status document."""
    components = status.components.values()
    today = now.astimezone(UTC).date()
    incidents = open_at(snapshot.open_incidents or (), now)
    families = (
        _family(
            "component_state",
            "gauge",
            "1 for the state in which a component is shown, and 0 for the others.",
            (
                ({"component": each.id, "state": state}, float(each.state is state))
                for each in components
                for state in State
            ),
        ),
        _family(
            "component_latency_seconds",
            "gauge",
            "How long the last check took.",
            (
                ({"component": name}, result.latency_ms / 1000)
                for name, result in snapshot.results.items()
                if result.latency_ms is not None
            ),
        ),
        _family(
            "component_checked_timestamp_seconds",
            "gauge",
            "When the last check ended.",
            (
                ({"component": each.id}, each.checked_at.timestamp())
                for each in components
                if each.checked_at is not None
            ),
        ),
        _family(
            "component_state_seconds_total",
            "counter",
            "Seconds in each state since midnight (UTC), in the minutes that are recorded.",
            (
                ({"component": name, "state": state}, float(getattr(days[-1].seconds, state)))
                for name, days in (snapshot.days or {}).items()
                if days and days[-1].date == today
                for state in _SECONDS
            ),
        ),
        _family(
            "incidents_open",
            "gauge",
            "Open incidents.",
            (
                ({"severity": severity}, float(sum(each.severity is severity for each in incidents)))
                for severity in (Severity if snapshot.open_incidents is not None else ())
            ),
        ),
        _family(
            "maintenances_in_progress",
            "gauge",
            "Maintenances in progress.",
            [({}, float(sum(each.state is Progress.IN_PROGRESS for each in incidents)))],
        ),
        _family(
            "start_timestamp_seconds",
            "gauge",
            "When this task started.",
            [({}, status.started_at.timestamp())],
        ),
        _family(
            "build_info",
            "gauge",
            "The release that runs.",
            [
                (
                    {
                        "environment": settings.environment,
                        "service": settings.service,
                        "commit": settings.commit,
                        "digest": settings.digest,
                    },
                    1.0,
                )
            ],
        ),
    )
    return "".join(families).encode()


def _family(name: str, kind: str, description: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP oaktree_{name} {description}", f"# TYPE oaktree_{name} {kind}"]
    lines += [f"oaktree_{name}{_labels(labels)} {round(value, 6)!r}" for labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Mapping[str, str]) -> str:
    if not labels:
        return ""
    quoted = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return f"{{{','.join(quoted)}}}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
