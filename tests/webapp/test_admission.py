"""Who may go on, who waits, who is turned away, and which lines of it the log has."""

import asyncio
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from webapp.aws import Admission, OverloadedError
from webapp.calls import LOG_INTERVAL, LogRateLimit


def test_so_many_go_on_at_once_so_many_wait_and_the_rest_is_turned_away_at_once() -> None:
    async def run() -> None:
        admission, leave = Admission(2, 3), asyncio.Event()
        inside: list[int] = []
        turned_away: list[int] = []

        async def come(number: int) -> None:
            try:
                async with admission:
                    inside.append(number)
                    await leave.wait()
            except OverloadedError:
                turned_away.append(number)

        async with asyncio.TaskGroup() as group:
            for number in range(7):
                group.create_task(come(number))
            await asyncio.sleep(0.01)
            assert (inside, turned_away) == ([0, 1], [5, 6])
            leave.set()
        assert inside == [0, 1, 2, 3, 4]

    asyncio.run(run())


def test_whoever_waits_too_long_is_turned_away_and_whoever_gives_up_leaves_room() -> None:
    async def run() -> None:
        admission = Admission(1, 1)

        async def come() -> str:
            try:
                async with admission:
                    return "in"
            except OverloadedError:
                return "turned away"

        async with admission:
            assert await come() == "turned away"
            waiting = asyncio.create_task(come())
            await asyncio.sleep(0.01)
            waiting.cancel()
            await asyncio.wait([waiting])
            late = asyncio.create_task(come())
            await asyncio.sleep(0.01)
        assert waiting.cancelled()
        assert await late == "in"
        assert await come() == "in"

    asyncio.run(run())


# In 64ths of a second, so that no sum is rounded.
@given(st.lists(st.integers(0, 192).map(lambda ticks: ticks / 64), max_size=30))
def test_lines_about_the_same_have_their_distance_and_all_are_counted(pauses: list[float]) -> None:
    now = 100.0
    spacing = LogRateLimit(lambda: now)
    written: list[float] = []
    told = 0
    for pause in pauses:
        now += pause
        left_out = spacing.admit("a")
        if left_out is not None:
            written.append(now)
            told += left_out + 1
    now += LOG_INTERVAL
    assert all(later - earlier >= LOG_INTERVAL for earlier, later in pairwise(written))
    last = spacing.admit("a")
    assert last is not None
    assert told + last == len(pauses)


def test_lines_about_something_else_are_not_held_back() -> None:
    spacing = LogRateLimit(lambda: 100.0)
    assert [spacing.admit(about) for about in ("a", "b", "a", "b")] == [0, 0, None, None]
