"""Judges the results of checks: whether a failure counts, and whether the app itself is cut off.

A state that is worse, or unknown, counts after some results in a row that say so, and is dated back to the
first of them; one that is better, or the first of all, counts at once. A call to AWS that fails once neither
makes a component that works unknown nor ends an outage.

The app is cut off when the last result of every check that calls AWS is a failure that its own loss of
network or credentials explains, and these checks call two AWS services at least. Then the state of their
components is unknown, and one notice says why. So that an outage of one service can be told from that, such
a failure of one component counts only once another check has found AWS answering since.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from webapp.board import NOT_CHECKED, Notice, Result
from webapp.calls import FailureKind
from webapp.checks import CHECKS
from webapp.components import Component
from webapp.states import Finding, State, is_worse

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
        self._worse: dict[str, list[Result]] = {each.id: [] for each in watched}
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
        """Returns whether the last results of a component are failures that do not count yet."""
        return bool(self._worse[component])

    def asks_others(self, found: Result) -> bool:
        """Returns whether other checks should run at once, to tell if the app itself is cut off."""
        return self.notice is None and found.failure in _OWN and len(self._worse[found.component]) == 1

    def _cut_off(self) -> bool:
        return bool(self._asking) and all(
            each in self._last and self._last[each].failure in _OWN for each in self._asking
        )

    def _lost(self, found: Result) -> tuple[Result, ...]:
        kinds = {self._last[each].failure for each in self._asking}
        message = NO_CREDENTIALS if kinds == {FailureKind.CREDENTIALS} else NO_NETWORK
        began = {each: self._first_failure(each) for each in self._asking}
        since = self.notice.since if self.notice else min(began.values())
        self.notice = Notice(message, since)
        lost = []
        for each in self._asking:
            shown, last = self._shown[each], self._last[each]
            if shown.lost and shown.finding.message == message and each != found.component:
                continue
            since = shown.since if shown.lost else began[each]
            finding = Finding(State.UNKNOWN, message)
            lost.append(self._show(replace(last, finding=finding, since=since, latency_ms=None, lost=True)))
            self._worse[each].clear()
        return tuple(lost)

    def _first_failure(self, component: str) -> datetime:
        first = next(iter(self._worse[component]), self._last[component])
        return first.checked_at or first.since

    def _counted(self, found: Result) -> Result:
        """Returns the result to show of one component."""
        shown, worse = self._shown[found.component], self._worse[found.component]
        first = shown.checked_at is None
        if not first and not _has_to_repeat(found.finding.state, shown.finding.state):
            worse.clear()
            same = found.finding.state is shown.finding.state and not shown.lost
            return replace(found, since=shown.since if same else found.since)
        worse.append(found)
        if (first or len(worse) >= self._threshold) and self._is_not_the_apps(found, worse[0]):
            since = worse[0].since
            worse.clear()
            return replace(found, since=since)
        if first:
            return shown
        return replace(
            shown,
            checked_at=found.checked_at,
            latency_ms=found.latency_ms,
            failure=found.failure,
            suspected_since=worse[0].since,
        )

    def _is_not_the_apps(self, found: Result, first: Result) -> bool:
        """Returns whether a failure is the component's: AWS has answered another check since the first."""
        if found.failure not in _OWN or found.component not in self._asking:
            return True
        others = (self._last[each] for each in self._asking if each in self._last)
        return any(each.failure not in _OWN and each.since >= first.since for each in others)

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


def _has_to_repeat(state: State, shown: State) -> bool:
    """Returns whether a state counts only after some results in a row."""
    return is_worse(state, shown) or (state is State.UNKNOWN and shown is not State.UNKNOWN)


def _flapping(result: Result, changes: int) -> Result:
    minutes = int(WHILE.total_seconds() // 60)
    message = f"{result.finding.message} Its state has changed {changes} times in {minutes} minutes."
    return replace(result, finding=replace(result.finding, message=message))
