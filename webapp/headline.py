"""The headline: how everything is, in one line that is true."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

_MOST_NAMED: Final = 3

_RAISED: Final = {"minor": "degraded", "major": "down", "critical": "down"}
"""The state that an incident of each severity makes, the least first."""


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
class Headline:
    """What is said of everything at once, its state, and a note on it."""

    state: str
    text: str
    note: str | None = None


def headline_of(
    parts: Sequence[Part],
    incidents: Sequence[OpenIncident] = (),
    *,
    checked: bool = True,
    stale: bool = False,
    notice: str | None = None,
    blind_since: datetime | None = None,
    maintenance: bool = False,
) -> Headline:
    """Returns the headline.

    `checked` is whether any check has ended, `stale` whether the latest are overdue, `notice` why the page
    itself sees nothing since `blind_since`, `maintenance` whether one is in progress. A critical incident
    comes first, as people know more than checks; while the page itself cannot see, so does any incident.
    """
    found = _found(parts, incidents, maintenance=maintenance)
    blind = _blind(found, checked=checked, stale=stale, notice=notice, since=blind_since)
    known = max(incidents, key=lambda each: [*_RAISED].index(each.severity), default=None)
    if known is not None and (blind or known.severity == "critical"):
        notes = (
            _affected(parts) if known.severity == "critical" else None,
            f"{blind.text}." if blind else None,
            blind.note if blind and notice else None,
        )
        return Headline(_RAISED[known.severity], known.title, " ".join(filter(None, notes)) or None)
    return blind or found


def _blind(
    found: Headline, *, checked: bool, stale: bool, notice: str | None, since: datetime | None
) -> Headline | None:
    """Returns what keeps the page from telling how things are; None if nothing does."""
    if notice is not None:
        at = f"What follows is how things were at {since.astimezone(UTC):%H:%M} UTC." if since else None
        return Headline("unknown", notice.removesuffix("."), at)
    if not checked:
        return Headline("unknown", "Not checked yet", "The first checks are under way.")
    if stale:
        return Headline("unknown", "Checks are overdue", f"When last checked: {found.text}.")
    return None


def _found(parts: Sequence[Part], incidents: Sequence[OpenIncident], *, maintenance: bool) -> Headline:
    for state, severity in (("down", "major"), ("degraded", "minor")):
        names = [part.name for part in parts if part.state == state]
        if names:
            return Headline(state, _heading(names, len(parts), f"{state}"), _rest(parts, state, names))
        untold = [each.title for each in incidents if each.severity == severity and not each.components]
        if untold:
            return Headline(state, untold[0], _rest(parts, state, []))
    unknown = [part.name for part in parts if part.state == "unknown"]
    if unknown and len(unknown) == len(parts):
        return Headline("unknown", "The state of all components is unknown")
    if unknown:
        return Headline(
            "unknown",
            _heading(unknown, len(parts), "in an unknown state"),
            _names(unknown) if len(unknown) > 2 else None,
        )
    if maintenance or any(part.state == "maintenance" for part in parts):
        names = [part.name for part in parts if part.state == "maintenance"]
        return Headline("maintenance", "Scheduled maintenance in progress", _names(names))
    return Headline("operational", "All systems operational")


def _heading(names: list[str], count: int, words: str) -> str:
    if len(names) == count > 1:
        return f"All components are {words}"
    if len(names) <= 2:
        return f"{_listed(names)} {'is' if len(names) == 1 else 'are'} {words}"
    return f"{len(names)} of {count} components are {words}"


def _rest(parts: Sequence[Part], state: str, named: list[str]) -> str | None:
    """Returns the names that a heading with a number leaves out, and what is degraded besides."""
    notes = [] if len(named) <= 2 or len(named) == len(parts) else [_names(named)]
    if state == "down":
        degraded = [part.name for part in parts if part.state == "degraded"]
        if degraded:
            verb = "is" if len(degraded) == 1 else "are"
            notes.append(f"{_listed(_cut(degraded))} {verb} degraded.")
    return " ".join(note for note in notes if note) or None


def _affected(parts: Sequence[Part]) -> str | None:
    down = [part.name for part in parts if part.state == "down"]
    return f"Affects {_listed(_cut(down))}." if down and len(down) < len(parts) else None


def _names(names: list[str]) -> str | None:
    return f"{_listed(_cut(names))}." if names else None


def _cut(names: list[str]) -> list[str]:
    if len(names) <= _MOST_NAMED + 1:
        return names
    return [*names[:_MOST_NAMED], f"{len(names) - _MOST_NAMED} others"]


def _listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
