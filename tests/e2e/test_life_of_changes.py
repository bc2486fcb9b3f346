"""A network is changed by a pull request and by main; what somebody changes by hand is brought back.

The tests are one story, in the order they stand here; it begins with three environments that are up.
"""

import json

import pytest

from tests.actions.workflows import Event, Runner
from tests.e2e import calls
from tests.e2e.clone import Clone
from tests.e2e.delivery import DEPLOY, HOME, MAIN, PLAN, PROD, STACKS, client, pushed_to_main, well
from tests.e2e.desk import succeeded
from tests.e2e.roles import done_by_roles
from tests.review.fake_github import REPOSITORY, FakeGitHub

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

PULL_REQUEST = 7


def of_pull_request(head: str, repository: str) -> Event:
    payload = {
        "pull_request": {"number": PULL_REQUEST, "head": {"sha": head, "repo": {"full_name": repository}}}
    }
    return Event("pull_request", f"repo:{REPOSITORY}:pull_request", head, payload)


LOCAL_JOBS = ("check", "test", "synth", "image", "scan")
"""Jobs that need no AWS: what they run is what runs this test."""


def test_a_pull_request_gets_one_comment_with_all_plans(
    desk: Clone, runner: Runner, github: FakeGitHub
) -> None:
    desk.edit("environments/dev.toml", '"10.10.0.0/16"', '"10.10.0.0/16", flow_logs = "all"')
    head = desk.commit("Record all traffic of dev")
    github.heads[PULL_REQUEST] = head
    event = of_pull_request(head, REPOSITORY)
    played = runner.play("ci.yml", event, done=LOCAL_JOBS)
    assert well(played)
    assert played["plan"].result == "success"
    (comment,) = github.bodies()
    assert f"commit `{head[:12]}`" in comment
    assert "aws_flow_log." in comment
    # Of all the rest, a second plan has no changes.
    verdict = json.loads((desk.directory / ".oaktree/local/review/all/verdict.json").read_text())
    changed = [each["name"] for each in verdict["stacks"] if each["verdict"] != "NO_CHANGES"]
    assert changed == ["dev-network"]
    for stack in STACKS:
        assert f"`{stack}`" in comment
    assert runner.subjects[-1] == f"repo:{REPOSITORY}:pull_request"


def test_a_pull_request_from_a_fork_is_not_planned(runner: Runner, github: FakeGitHub) -> None:
    event = of_pull_request("d" * 40, "somebody/oaktree")
    played = runner.play("ci.yml", event, done=LOCAL_JOBS)
    assert played["plan"].result == "skipped"
    assert len(github.comments) == 1


def test_on_main_the_network_is_changed_as_it_was_reviewed(desk: Clone, runner: Runner) -> None:
    runner.asked_for.clear()
    played = runner.play("infrastructure.yml", pushed_to_main(desk.commit("Merged")))
    assert well(played)
    assert {name: job.result for name, job in played.items() if name.endswith("/apply")} == {
        "first/first/apply": "skipped",
        "first/second/apply": "success",
        "first/third/apply": "skipped",
        "second/first/apply": "skipped",
        "second/second/apply": "skipped",
        "third/first/apply": "skipped",
        "third/second/apply": "skipped",
        "third/third/apply": "skipped",
    }
    assert runner.asked_for == ["dev"]
    (found,) = client(desk, "ec2", "dev").describe_flow_logs(
        Filters=[{"Name": "tag:environment", "Values": ["dev"]}]
    )["FlowLogs"]
    assert found["TrafficType"] == "ALL"


def test_what_somebody_changed_by_hand_is_told_in_an_issue(
    desk: Clone, runner: Runner, github: FakeGitHub
) -> None:
    client(desk, "cloudwatch", "staging").disable_alarm_actions(AlarmNames=["oaktree-staging-web/cpu"])
    played = runner.play("drift.yml", Event("schedule", MAIN, "d" * 40))
    assert well(played)
    (issue,) = github.issues
    assert (issue["title"], issue["state"]) == ("Drift: staging-service", "open")
    assert "aws_cloudwatch_metric_alarm." in issue["body"]
    assert "actions_enabled" in issue["body"]


def test_the_next_deployment_brings_back_what_main_says(desk: Clone) -> None:
    done = desk.make(HOME, "deploy", "ENV=staging")
    assert succeeded(done)
    assert "0 to add, 1 to change, 0 to destroy" in done.stdout
    named = {"AlarmNames": ["oaktree-staging-web/cpu"]}
    (alarm,) = client(desk, "cloudwatch", "staging").describe_alarms(**named)["MetricAlarms"]
    assert alarm["ActionsEnabled"] is True


JOBS = {(HOME, PLAN), (PROD, PLAN), (HOME, DEPLOY)}


def test_jobs_assume_the_roles_that_are_made_for_them(desk: Clone) -> None:
    assert set(calls.assumed_by_token(desk.memory)) == JOBS


def test_what_jobs_and_apps_did_is_what_their_roles_allow(desk: Clone) -> None:
    acted = done_by_roles(desk.memory, desk.first)
    of_staging = {(HOME, f"oaktree-staging-web-{role}") for role in ("task", "execution")}
    assert set(acted) == JOBS | of_staging
