"""A component's life with a controlled clock: results are judged, shown and kept as in the app."""

from datetime import UTC, datetime, timedelta
from typing import Final

from tests.webapp.environment import IDS, environ_of
from webapp.board import Board, Result
from webapp.calls import FailureKind
from webapp.endpoints.history import for_the_public, history_page
from webapp.history.models import Change, Day, HistoryPage, HistoryQuery, OperatorHistoryPage
from webapp.history.recorder import Recorder
from webapp.judge import Judge
from webapp.settings import Settings, read_settings
from webapp.states import Finding, State
from webapp.status import OperatorStatus, Status, operator_status, status
from webapp.table_client import TableClient

INTERVAL: Final = 15
BEGUN: Final = datetime(2026, 11, 23, 6, 25, tzinfo=UTC)


def settings(**variables: str) -> Settings:
    """Settings of an app that checks every 15 seconds."""
    return read_settings(environ_of("http://127.0.0.1:9", check_interval=INTERVAL) | variables)


def at(clock: str) -> datetime:
    """A time of the day on which everything happens, such as 06:25:10."""
    return datetime.fromisoformat(f"{BEGUN.date()}T{clock}+00:00")


class Desk:
    """One task of the app, whose clock moves only when a test moves it."""

    def __init__(self, table: TableClient, now: datetime = BEGUN, **variables: str) -> None:
        self.now = self.started = now
        self.settings = settings(**variables)
        self.table = table
        self.board = Board(IDS, now)
        watched = self.settings.watched.values()
        self.judge = Judge(watched, self.settings.failure_threshold, now)
        self.recorder = Recorder(table, self.settings, self.board, lambda: self.now)

    def find(
        self, component: str, state: State = State.OPERATIONAL, failure: FailureKind | None = None
    ) -> None:
        """A check ends now with a finding."""
        finding = Finding(state, f"It is {state}.")
        found = Result(component, finding, self.now, self.now, 10.0, failure)
        self._judge(found)

    def answers(self, component: str, failure: FailureKind) -> None:
        """A service answers its probe, while the check's call to AWS fails."""
        finding = Finding(State.OPERATIONAL, "It answers.", failure=failure)
        self._judge(Result(component, finding, self.now, self.now, 10.0))

    def _judge(self, found: Result) -> None:
        for result in self.judge.judge(found):
            self.board.put_result(result)
        self.board.put_notice(self.judge.notice)

    def find_all(self, state: State = State.OPERATIONAL, failure: FailureKind | None = None) -> None:
        """The checks of all components end now."""
        for component in IDS:
            self.find(component, state, failure)

    def operational_until(self, clock: str, *others: str) -> None:
        """Checks every 15 seconds before a time find all, or all but others, operational."""
        while self.now < at(clock):
            for component in IDS:
                if component not in others:
                    self.find(component)
            self.now += timedelta(seconds=INTERVAL)
        self.now = at(clock)

    async def write(self, clock: str) -> None:
        """The recorder looks at a time."""
        self.now = at(clock)
        await self.recorder.step()

    def status(self) -> Status:
        """The public status document."""
        return status(self.board.snapshot, self.settings, self.started, self.now)

    def operator_status(self) -> OperatorStatus:
        """The operator's status document."""
        return operator_status(self.board.snapshot, self.settings, self.started, self.now)

    async def history(self, component: str) -> OperatorHistoryPage:
        """What the operator's API says of the last 24 hours of a component."""
        query = HistoryQuery(component=component)
        return await history_page(self.table, self.board, query, self.now)

    async def public_history(self, component: str) -> HistoryPage:
        """The public status document."""
        return for_the_public(await self.history(component))


def seconds_of(page: HistoryPage) -> dict[str, dict[str, int]]:
    """How long each state lasted, by the minute."""
    return {
        f"{record.at:%H:%M}": {
            state.value: record.seconds.of(state) for state in State if record.seconds.of(state)
        }
        for record in reversed(page.records)
    }


def told(changes: tuple[Change, ...]) -> list[str]:
    """The changes as text, the oldest first."""
    return [f"{change.at:%H:%M:%S} {change.from_} -> {change.to}" for change in reversed(changes)]


def today(page: HistoryPage) -> Day:
    """The last day of a page."""
    return page.days[-1]
