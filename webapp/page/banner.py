"""The headline: how everything is, in one line that is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from webapp.page import wording

_MOST_NAMED: Final = 3


@dataclass(frozen=True)
class Part:
    """What the headline needs of a component: its name and its shown state."""

    name: str
    state: str


@dataclass(frozen=True)
class OpenIncident:
    """What the headline needs of an open incident; `components` is whether it names any."""

    title: str
    severity: str
    components: bool


@dataclass(frozen=True)
class Banner:
    """The headline, its state, and a note on it."""

    state: str
    heading: str
    note: str | None = None


def banner_of(
    parts: Sequence[Part],
    incidents: Sequence[OpenIncident] = (),
    *,
    checked: bool = True,
    stale: bool = False,
    notice: str | None = None,
    blind_since: datetime | None = None,
    maintenance: bool = False,
) -> Banner:
    """Returns the headline.

    `checked` is whether any check has ended, `stale` whether the latest are overdue, `notice` why the page
    itself sees nothing since `blind_since`, `maintenance` whether one is in progress. A critical incident
    comes first, as people know more than checks; then what the page itself cannot see.
    """
    critical = next((incident for incident in incidents if incident.severity == "critical"), None)
    found = _found(parts, incidents, maintenance=maintenance)
    if critical is not None:
        return Banner("down", critical.title, _affected(parts))
    if notice is not None:
        note = f"What follows is how things were at {wording.clock(blind_since)}." if blind_since else None
        return Banner("unknown", notice.removesuffix("."), note)
    if not checked:
        return Banner("unknown", "Not checked yet", "The first checks are under way.")
    if stale:
        return Banner("unknown", "Checks are overdue", f"When last checked: {found.heading}.")
    return found


def _found(parts: Sequence[Part], incidents: Sequence[OpenIncident], *, maintenance: bool) -> Banner:
    for state, severity in (("down", "major"), ("degraded", "minor")):
        names = [part.name for part in parts if part.state == state]
        if names:
            return Banner(state, _heading(names, len(parts), f"{state}"), _rest(parts, state, names))
        untold = [each.title for each in incidents if each.severity == severity and not each.components]
        if untold:
            return Banner(state, untold[0], _rest(parts, state, []))
    unknown = [part.name for part in parts if part.state == "unknown"]
    if unknown and len(unknown) == len(parts):
        return Banner("unknown", "The state of all components is unknown")
    if unknown:
        return Banner(
            "unknown",
            _heading(unknown, len(parts), "in an unknown state"),
            _names(unknown) if len(unknown) > 2 else None,
        )
    if maintenance or any(part.state == "maintenance" for part in parts):
        names = [part.name for part in parts if part.state == "maintenance"]
        return Banner("maintenance", "Scheduled maintenance in progress", _names(names))
    return Banner("operational", "All systems operational")


def _heading(names: list[str], count: int, words: str) -> str:
    if len(names) == count > 1:
        return f"All components are {words}"
    if len(names) <= 2:
        return f"{wording.listed(names)} {'is' if len(names) == 1 else 'are'} {words}"
    return f"{len(names)} of {count} components are {words}"


def _rest(parts: Sequence[Part], state: str, named: list[str]) -> str | None:
    """Returns the names that a heading with a number leaves out, and what is degraded besides."""
    notes = [] if len(named) <= 2 or len(named) == len(parts) else [_names(named)]
    if state == "down":
        degraded = [part.name for part in parts if part.state == "degraded"]
        if degraded:
            verb = "is" if len(degraded) == 1 else "are"
            notes.append(f"{wording.listed(_cut(degraded))} {verb} degraded.")
    return " ".join(note for note in notes if note) or None


def _affected(parts: Sequence[Part]) -> str | None:
    down = [part.name for part in parts if part.state == "down"]
    return f"Affects {wording.listed(_cut(down))}." if down and len(down) < len(parts) else None


def _names(names: list[str]) -> str | None:
    return f"{wording.listed(_cut(names))}." if names else None


def _cut(names: list[str]) -> list[str]:
    if len(names) <= _MOST_NAMED + 1:
        return names
    return [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} others"]
