"""A run of a job as a command, on the desk's own embedded AWS; how it ended, and the next runs, in words."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from inspect import unwrap
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from ops.commands import look
from ops.core.checkout import Checkout
from ops.local import processes
from ops.local.embedded import start_embedded, stop_embedded
from ops.local.services import NotRunError
from ops.local.stand_in import StandIn
from ops.look import jobs as runs
from ops.look.jobs import Ended, Upcoming, last_lines, upcoming, upcoming_words, wait, words
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.test_embedded_stepfunctions import Jobs
from tests.stacks.platform_files import environment, write_platform

JOB = "cleanup"
NAME = f"oaktree-dev-{JOB}"
SETTINGS = f"""
[services.{JOB}]
kind = "job"
image = "example.com/cleanup@sha256:{"0" * 64}"
schedule = "@daily"
local = {{ command = ["python", "-c", "import os; exec(os.environ['PROGRAM'])"] }}
"""


@pytest.fixture(scope="module")
def jobs(desk: Desk) -> Iterator[Jobs]:
    """What a job needs, on the embedded AWS of the desk, whose settings have it."""
    with (desk.checkout.environments / "dev.toml").open("a") as settings:
        settings.write(SETTINGS)
    yield Jobs(start_embedded(desk.checkout.local, ACCOUNT))
    stop_embedded(desk.checkout.local)


@pytest.fixture(scope="module")
def here(jobs: Jobs, desk: Desk) -> Desk:
    return replace(desk, environment=jobs.embedded.environment(ACCOUNT, REGION, desk.environment))


def deploy(jobs: Jobs, program: str, *, timeout: int = 600, retries: int = 0) -> None:
    """Put the state machine of a job there whose container runs a program."""
    container = {
        "name": JOB,
        "image": "i",
        "environment": [{"name": "GREETING", "value": "hello"}, {"name": "PROGRAM", "value": program}],
    }
    jobs.register(NAME, container)
    jobs.machine(NAME, timeout=timeout, retries=retries)


@pytest.mark.e2e
def test_a_run_of_a_job_runs_its_program_and_shows_its_end(jobs: Jobs, here: Desk) -> None:
    deploy(jobs, "import os; print(os.environ['GREETING'], os.environ['AWS_ENDPOINT_URL'][:7])")
    done = here.run("run-job", "--env", "dev", "--service", JOB)
    assert done.returncode == 0, done.stderr
    assert "hello http://" in done.stdout
    assert f"{JOB} succeeded after" in done.stdout
    assert "with exit code 0" in done.stdout


@pytest.mark.e2e
def test_a_run_that_fails_says_its_exit_code(jobs: Jobs, here: Desk) -> None:
    deploy(jobs, "import sys; print('no disk left'); sys.exit(7)", retries=1)
    done = here.run("run-job", "--env", "dev", "--service", JOB)
    assert done.returncode == 1
    # It was repeated once.
    assert done.stdout.count("no disk left") == 2
    assert f"{JOB} failed after" in done.stdout
    assert "with exit code 7. States.TaskFailed: Essential container in task exited" in done.stdout


@pytest.mark.e2e
def test_a_run_that_takes_too_long_is_ended(jobs: Jobs, here: Desk) -> None:
    deploy(jobs, "import time; time.sleep(600)", timeout=1, retries=3)
    done = here.run("run-job", "--env", "dev", "--service", JOB)
    assert done.returncode == 1
    assert "JobTimedOut: The job took more than 1 s" in done.stdout
    assert processes.running(f"job-dev-{JOB}", here.checkout.local) is None


@pytest.mark.e2e
def test_a_job_that_is_not_deployed_is_said_to_be_so(jobs: Jobs, here: Desk) -> None:
    jobs.remove(NAME)
    done = here.run("run-job", "--env", "dev", "--service", JOB)
    assert done.returncode == 1
    assert f"there is no state machine {NAME}" in done.stderr


@pytest.mark.e2e
@pytest.mark.usefixtures("jobs")
def test_a_service_that_is_no_job_cannot_be_run_as_one(here: Desk) -> None:
    done = here.run("run-job", "--env", "dev", "--service", "web")
    assert done.returncode == 2
    assert f"SERVICE=web is not a job: use one of {JOB}." in done.stderr


@pytest.mark.e2e
def test_the_log_of_a_job_at_a_desk_is_said_to_be_that_of_its_runs(jobs: Jobs, here: Desk) -> None:
    jobs.embedded.client("logs", REGION).create_log_group(logGroupName=f"/oaktree/dev/{JOB}")
    done = here.run("logs", "--env", "dev", "--service", JOB)
    assert done.returncode == 0, done.stderr
    assert f"logs/job-dev-{JOB}.log, and nothing to" in done.stderr


class Executions:
    """Step Functions with one execution, which is seen as it is said to be, look by look."""

    def __init__(self, *looks: Mapping[str, Any]) -> None:
        self._looks = list(looks)

    def describe_execution(self, **_: str) -> Mapping[str, Any]:
        began = datetime(2026, 1, 1, tzinfo=UTC)
        return {"startDate": began, "stopDate": began + timedelta(seconds=90), **self._looks.pop(0)}


def task(*codes: int | None, **more: str) -> str:
    arn = "arn:aws:ecs:eu-central-1:111111111111:task/oaktree-dev/abc"
    return json.dumps({"TaskArn": arn, "Containers": [{"ExitCode": code} for code in codes], **more})


RUNNING = {"status": "RUNNING"}


@pytest.mark.parametrize(
    ("last", "said"),
    [
        ({"status": "SUCCEEDED", "output": task(0)}, "job succeeded after 90 s, with exit code 0."),
        (
            {"status": "SUCCEEDED", "output": '{"skipped": "The previous run is not done."}'},
            "job did not run: The previous run is not done.",
        ),
        (
            {
                "status": "FAILED",
                "error": "States.TaskFailed",
                "cause": task(0, 3, StoppedReason="Essential container in task exited"),
            },
            "job failed after 90 s, with exit code 3. States.TaskFailed: Essential container in task exited",
        ),
        (
            {
                "status": "FAILED",
                "error": "States.TaskFailed",
                "cause": task(None, StoppedReason="CannotPullContainerError"),
            },
            "job failed after 90 s, without an exit code. States.TaskFailed: CannotPullContainerError",
        ),
        (
            {"status": "FAILED", "error": "JobTimedOut", "cause": "The job took more than 60 s"},
            "job failed after 90 s, without an exit code. JobTimedOut: The job took more than 60 s",
        ),
        ({"status": "ABORTED"}, "job failed after 90 s, without an exit code. aborted"),
        ({"status": "TIMED_OUT"}, "job failed after 90 s, without an exit code. timed out"),
    ],
)
def test_the_end_of_a_run_is_said_in_a_sentence(last: Mapping[str, Any], said: str) -> None:
    pauses: list[float] = []
    ended = wait(Executions(RUNNING, RUNNING, last), "execution", pauses.append)
    assert words("job", ended) == said
    assert len(pauses) == 2


def test_the_task_of_a_run_leads_to_its_log() -> None:
    assert wait(Executions({"status": "SUCCEEDED", "output": task(0)}), "e") == Ended(
        True, 0, "", "abc", timedelta(seconds=90)
    )


def test_the_last_lines_are_those_of_this_run(tmp_path: Path) -> None:
    log = tmp_path / "job.log"
    assert last_lines(log, 0) == ()
    log.write_text("before\n" + "".join(f"line {number}\n" for number in range(30)) + "\x1b[31mred\n")
    found = last_lines(log, len("before\n"))
    assert len(found) == 20
    assert found[-2:] == ("line 29", r"\x1b[31mred")


class Schedules:
    """EventBridge Scheduler with one schedule, or none."""

    class exceptions:  # noqa: N801 - botocore's name
        class ResourceNotFoundException(Exception):  # noqa: N818 - AWS's name
            pass

    def __init__(self, expression: str | None, state: str = "ENABLED") -> None:
        self._expression = expression
        self._state = state

    def get_schedule(self, **_: str) -> Mapping[str, Any]:
        if self._expression is None:
            raise self.exceptions.ResourceNotFoundException
        return {
            "ScheduleExpression": self._expression,
            "ScheduleExpressionTimezone": "Europe/Berlin",
            "State": self._state,
            "CreationDate": datetime(2026, 3, 27, 12, 10, tzinfo=UTC),
        }


def next_runs(schedules: Schedules, platform: Platform) -> Upcoming | None:
    now = datetime(2026, 3, 27, 20, 0, tzinfo=UTC)
    return upcoming(schedules, platform.project, platform.environments["dev"], JOB, now)


def test_the_next_runs_are_those_of_the_deployed_schedule(platform: Platform) -> None:
    found = next_runs(Schedules("cron(0 3 * * ? *)"), platform)
    assert found
    assert found.runs[0] == datetime(2026, 3, 28, 3, tzinfo=ZoneInfo("Europe/Berlin"))
    assert upcoming_words(found) == (
        "Sat 2026-03-28 03:00, Sun 2026-03-29 03:00, Mon 2026-03-30 03:00 Europe/Berlin by cron(0 3 * * ? *)"
    )
    every_hour = next_runs(Schedules("rate(1 hour)"), platform)
    assert upcoming_words(every_hour).startswith("Fri 2026-03-27 21:10, Fri 2026-03-27 22:10")


def test_a_job_without_further_runs_says_so(platform: Platform) -> None:
    assert upcoming_words(next_runs(Schedules(None), platform)) == "not deployed"
    for schedules in (Schedules("cron(0 3 * * ? 2020)"), Schedules("rate(1 hour)", "DISABLED")):
        assert upcoming_words(next_runs(schedules, platform)).startswith("never: ")


def test_a_job_that_is_not_run_here_starts_no_execution(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    settings = 'kind = "job"\ndockerfile = "Dockerfile"\nschedule = "@daily"\n'
    checkout = Checkout(tmp_path)
    dev = environment(services=f"[services.{JOB}]\n{settings}")
    found = read_platform(write_platform(checkout.environments, dev=dev))
    embedded: Any = None  # It is not asked.
    desk = StandIn(checkout, embedded, found.project, found.environments["dev"])
    started: list[object] = []
    monkeypatch.setattr(look, "act_in_environment", lambda *_: None)
    monkeypatch.setattr(look, "ambient_client", lambda *_: None)
    monkeypatch.setattr(look, "stand_in", lambda *_: desk)
    monkeypatch.setattr(runs, "start", lambda *_: started.append(True))
    with pytest.raises(NotRunError, match=rf"{JOB} has no \[services\.{JOB}\.local\] command"):
        unwrap(look.run_job)(env="dev", service=JOB, directory=tmp_path)
    assert not started
