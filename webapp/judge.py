"""Judges the results of checks: whether a failure counts, and whether the app itself is cut off.

A state that is worse counts after some results in a row that are at least as bad, and is dated back to the
first of them; one that is better, or the first of all, counts at once. A result that proves nothing, as the
check could not find out, is no recovery: it counts after as many in a row.

The app is cut off when the last result of every check that calls AWS is a failure that its own loss of
network or credentials explains, and these checks call two AWS services at least. Then the state of their
components is unknown, and one notice says why. So that an outage of one service can be told from that, such
a failure of one component counts only once another check has found AWS answering since. A check that found
out without AWS that its component works has not: its component is left alone, its failure is a failure.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile
from typing import Final

from webapp.board import NOT_CHECKED, Notice, Result
from webapp.calls import FailureKind
from webapp.checks import CHECKS
from webapp.components import Component
from webapp.states import Finding, State, is_worse, severity

_OWN: Final = frozenset({FailureKind.CREDENTIALS, FailureKind.ENDPOINT_UNREACHABLE, FailureKind.TIMEOUT})
"""Failures that the app's own loss of credentials or network explains."""

OFTEN: Final = 4
"""Changes of state within `WHILE` from which the message says that they are many."""

WHILE: Final = timedelta(minutes=10)

NO_NETWORK: Final = "The app cannot reach AWS."
NO_CREDENTIALS: Final = "The app has no valid AWS credentials."


class Judge:
    """Knows the results in a row of all components. `notice` says that the app itself is cut off."""

    def __init__(self, components: Iterable[Component], threshold: int, now: datetime) -> None:
        watched = tuple(components)
        self.notice: Notice | None = None
        self._threshold = threshold
        self._shown = {each.id: Result(each.id, NOT_CHECKED, None, now) for each in watched}
        self._last: dict[str, Result] = {}
        self._changed: dict[str, list[datetime]] = {each.id: [] for each in watched}
        self._row: dict[str, list[Result]] = {each.id: [] for each in watched}
        services = {service for each in watched for service in CHECKS[each.kind].clients}
        asking = [each.id for each in watched if CHECKS[each.kind].clients]
        self._asking = asking if len(services) > 1 else []

    def judge(self, found: Result) -> tuple[Result, ...]:
        """Takes what a check has found, and returns the results to show: mostly one."""
        self._last[found.component] = found
        if self._cut_off():
            return self._lost(found)
        self.notice = None
        return (self._show(self._counted(found)),)

    def suspects(self, component: str) -> bool:
        """Returns whether the last results of a component say something that does not count yet."""
        return bool(self._row[component])

    def asks_others(self, found: Result) -> bool:
        """Returns whether other checks should run at once, to tell if the app itself is cut off."""
        own = sum(each.failure in _OWN for each in self._row[found.component])
        return self.notice is None and found.failure in _OWN and own == 1

    def _cut_off(self) -> bool:
        return bool(self._asking) and all(
            each in self._last and _failure(self._last[each]) in _OWN for each in self._asking
        )

    def _lost(self, found: Result) -> tuple[Result, ...]:
        kinds = {_failure(self._last[each]) for each in self._asking}
        message = NO_CREDENTIALS if kinds == {FailureKind.CREDENTIALS} else NO_NETWORK
        began = {each: self._first_failure(each) for each in self._asking}
        since = self.notice.since if self.notice else min(began.values())
        self.notice = Notice(message, since)
        lost = []
        for each in self._asking:
            shown, last = self._shown[each], self._last[each]
            if last.failure is None:
                if each == found.component:
                    lost.append(self._show(self._counted(found)))
                continue
            if shown.lost and shown.finding.message == message and each != found.component:
                continue
            since = shown.since if shown.lost else began[each]
            finding = Finding(State.UNKNOWN, message)
            lost.append(self._show(replace(last, finding=finding, since=since, latency_ms=None, lost=True)))
            self._row[each].clear()
        return tuple(lost)

    def _first_failure(self, component: str) -> datetime:
        first = next(iter(self._row[component]), self._last[component])
        return first.checked_at or first.since

    def _counted(self, found: Result) -> Result:
        """Returns the result to show of one component."""
        shown, row = self._shown[found.component], self._row[found.component]
        state, before = found.finding.state, shown.finding.state
        first, worse = shown.checked_at is None, is_worse(state, before)
        if state is before or not (worse or _is_inconclusive(found)):
            row.clear()
            goes_on = state is before and not (first or shown.lost)
            return replace(found, since=shown.since if goes_on else found.since)
        if row and is_worse(row[0].finding.state, before) is not worse:
            row.clear()
        row.append(found)
        needed = 1 if first else self._threshold
        if len(row) >= needed and self._is_not_the_apps(found, row[0]):
            return self._taken(found, needed)
        if first:
            return shown
        return replace(
            shown,
            checked_at=found.checked_at,
            latency_ms=found.latency_ms,
            failure=found.failure,
            suspected_since=row[0].since,
        )

    def _taken(self, found: Result, needed: int) -> Result:
        """Returns what so many results in a row agree on: the mildest of them, as the others are worse.

        Those after it that are worse go on as a row.
        """
        row = self._row[found.component]
        mildest = min(reversed(row[-needed:]), key=lambda each: severity(each.finding.state))
        state = mildest.finding.state
        *_, first = takewhile(lambda each: not is_worse(state, each.finding.state), reversed(row))
        row[:] = [*takewhile(lambda each: is_worse(each.finding.state, state), reversed(row))][::-1]
        return replace(
            found,
            finding=mildest.finding,
            latency_ms=mildest.latency_ms,
            since=first.since,
            suspected_since=row[0].since if row else None,
        )

    def _is_not_the_apps(self, found: Result, first: Result) -> bool:
        """Returns whether a failure is the component's: AWS has answered another check since the first."""
        if found.failure not in _OWN or found.component not in self._asking:
            return True
        others = (self._last[each] for each in self._asking if each in self._last)
        return any(_failure(each) not in _OWN and each.since >= first.since for each in others)

    def _show(self, result: Result) -> Result:
        before = self._shown[result.component]
        self._shown[result.component] = result
        if result.checked_at is None or result.lost:
            return result
        recent = [at for at in self._changed[result.component] if at > result.checked_at - WHILE]
        if before.checked_at and not before.lost and before.finding.state is not result.finding.state:
            recent.append(result.checked_at)
        self._changed[result.component] = recent
        return result if len(recent) < OFTEN else _flapping(result, len(recent))


def _failure(result: Result) -> FailureKind | None:
    """Returns how the call to AWS failed, whether or not the check found out without it."""
    return result.failure or result.finding.failure


def _is_inconclusive(found: Result) -> bool:
    """Returns whether a result does not prove that the component is any better."""
    return found.finding.state is State.UNKNOWN or found.failure is FailureKind.THROTTLED


def _flapping(result: Result, changes: int) -> Result:
    minutes = int(WHILE.total_seconds() // 60)
    message = f"{result.finding.message} Its state has changed {changes} times in {minutes} minutes."
    return replace(result, finding=replace(result.finding, message=message))
