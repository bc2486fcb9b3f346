"""The bake, with the alarms of an embedded AWS."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.exceptions import EndpointConnectionError

from ops.core.errors import OpsError, ReleaseFailedError
from ops.core.progress import Phase
from ops.local.embedded import Embedded
from ops.rollout.bake import bake, raised, read_alarms
from tests.ops.alarms import make_alarm
from tests.ops.conftest import REGION

PREFIX = "oaktree-dev-web/"
NAMES = (f"{PREFIX}cpu", f"{PREFIX}server-errors", "oaktree-dev-web-api/cpu")


@pytest.fixture(scope="module")
def cloudwatch(embedded: Embedded) -> Any:
    return embedded.client("cloudwatch", REGION)


@pytest.fixture(autouse=True)
def _quiet(cloudwatch: Any) -> Iterator[None]:
    """Alarms that are all quiet."""
    for name in NAMES:
        make_alarm(cloudwatch, name)
        put(cloudwatch, name, "OK")
    yield
    cloudwatch.delete_alarms(AlarmNames=list(NAMES))


def put(cloudwatch: Any, name: str, state: str) -> None:
    cloudwatch.set_alarm_state(AlarmName=name, StateValue=state, StateReason=f"it is {state}\n")


def before(cloudwatch: Any) -> frozenset[str]:
    return raised(read_alarms(cloudwatch, PREFIX))


def ignored(line: str) -> None:
    """Nobody reads it."""


class After:
    """A CloudWatch with which something happens at one of the looks; a bake that misses it fails."""

    def __init__(self, cloudwatch: Any, looks: int, happen: Callable[[], None]) -> None:
        self._cloudwatch = cloudwatch
        self._looks = looks
        self._happen = happen

    def get_paginator(self, name: str) -> Any:
        self._looks -= 1
        if self._looks == 0:
            self._happen()
        assert self._looks > -10, "the bake goes on as if nothing had happened"
        return self._cloudwatch.get_paginator(name)


def test_quiet_alarms_pass(cloudwatch: Any) -> None:
    said: list[str] = []
    phase = Phase("bake")
    bake(cloudwatch, PREFIX, before(cloudwatch), 0.0, phase, said.append)
    assert said == ["watching 2 alarms for 0 s"]
    assert phase.result == "no new alarm among 2 in 0 s"


def test_an_alarm_meanwhile_fails_at_once(cloudwatch: Any) -> None:
    after = After(cloudwatch, 3, lambda: put(cloudwatch, NAMES[1], "ALARM"))
    with pytest.raises(ReleaseFailedError) as failed:
        bake(after, PREFIX, before(cloudwatch), 3600.0, Phase("bake"), ignored, interval=0.0)
    assert failed.value.reason == "Alarm after the release: oaktree-dev-web/server-errors."
    assert failed.value.details == ("oaktree-dev-web/server-errors: it is ALARM",)


def test_an_alarm_between_the_release_and_the_bake_fails(cloudwatch: Any) -> None:
    earlier = before(cloudwatch)
    put(cloudwatch, NAMES[0], "ALARM")
    with pytest.raises(ReleaseFailedError, match="oaktree-dev-web/cpu"):
        bake(cloudwatch, PREFIX, earlier, 0.0, Phase("bake"), ignored)


def test_an_alarm_of_before_is_told_and_does_not_count(cloudwatch: Any) -> None:
    put(cloudwatch, NAMES[0], "ALARM")
    said: list[str] = []
    phase = Phase("bake")
    bake(cloudwatch, PREFIX, before(cloudwatch), 0.0, phase, said.append)
    assert said == ["watching 2 alarms for 0 s; raised before the release: oaktree-dev-web/cpu"]
    assert phase.result == "no new alarm among 2 in 0 s; raised before and still: oaktree-dev-web/cpu"


def test_an_alarm_of_before_counts_once_it_was_quiet(cloudwatch: Any) -> None:
    put(cloudwatch, NAMES[0], "ALARM")
    earlier = before(cloudwatch)
    again = After(cloudwatch, 5, lambda: put(cloudwatch, NAMES[0], "ALARM"))
    quiet = After(again, 2, lambda: put(cloudwatch, NAMES[0], "OK"))
    with pytest.raises(ReleaseFailedError, match="oaktree-dev-web/cpu"):
        bake(quiet, PREFIX, earlier, 3600.0, Phase("bake"), ignored, interval=0.0)


def test_the_alarms_of_another_service_do_not_count(cloudwatch: Any) -> None:
    put(cloudwatch, NAMES[2], "ALARM")
    bake(cloudwatch, PREFIX, frozenset(), 0.0, Phase("bake"), ignored)


def test_every_page_of_alarms_is_read(cloudwatch: Any) -> None:
    names = [f"oaktree-many-web/{number:03}" for number in range(120)]
    for name in names:
        make_alarm(cloudwatch, name)
    assert sorted(read_alarms(cloudwatch, "oaktree-many-web/")) == names


def test_without_alarms_a_bake_would_show_nothing(cloudwatch: Any) -> None:
    with pytest.raises(OpsError, match=r"No alarm is named oaktree-prod-web/\*, so"):
        bake(cloudwatch, "oaktree-prod-web/", frozenset(), 0.0, Phase("bake"), ignored)


def test_a_cloudwatch_that_does_not_answer_proves_nothing() -> None:
    silent = Silent()
    with pytest.raises(OpsError, match="The alarms could not be read from CloudWatch") as failed:
        bake(silent, PREFIX, frozenset(), 0.0, Phase("bake"), ignored, interval=0.0)
    assert not isinstance(failed.value, ReleaseFailedError)


def test_a_cloudwatch_that_is_silent_for_a_moment_is_asked_again(cloudwatch: Any) -> None:
    phase = Phase("bake")
    bake(Silent(cloudwatch, 3), PREFIX, frozenset(), 0.0, phase, ignored, interval=0.0)
    assert phase.result == "no new alarm among 2 in 0 s"


class Silent:
    """A CloudWatch that does not answer, or not at first."""

    def __init__(self, cloudwatch: Any = None, times: int = 1000) -> None:
        self._cloudwatch = cloudwatch
        self._times = times

    def get_paginator(self, name: str) -> Any:
        self._times -= 1
        if self._times >= 0:
            raise EndpointConnectionError(endpoint_url="http://127.0.0.1:9")
        return self._cloudwatch.get_paginator(name)
