"""Reviews as a workflow runs them: as the plan role, with a comment, a summary, outputs, the drift issue.

The tests are one story, in the order they stand here.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ops.local.embedded import Embedded, start_embedded
from ops.local.up import stop_all
from tests.ops.conftest import ACCOUNT, REGION, Desk, put_secret_of_dev
from tests.ops.github_tokens import MAIN, TokenEndpoint, serving_tokens, trust, trust_github
from tests.review.fake_github import REPOSITORY, FakeGitHub, running_github

pytestmark = pytest.mark.e2e

HEAD, NEXT = "b" * 40, "c" * 40


@pytest.fixture(scope="module")
def embedded(desk: Desk) -> Iterator[Embedded]:
    yield start_embedded(desk.checkout.local, ACCOUNT)
    stop_all(desk.checkout.local)


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with running_github() as running:
        running.heads[7] = HEAD
        yield running


@pytest.fixture(scope="module")
def tokens() -> Iterator[TokenEndpoint]:
    with serving_tokens() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def administrator(desk: Desk, embedded: Embedded) -> Desk:
    """The desk with an administrator's keys, the plan role, and a service stack that cannot be planned."""
    iam = embedded.client("iam", REGION)
    trust_github(iam)
    iam.create_role(RoleName="oaktree-github-plan", AssumeRolePolicyDocument=trust(ACCOUNT, MAIN))
    reads = {"Effect": "Allow", "Action": ["ec2:Describe*", "s3:Get*", "s3:List*", "ssm:*"], "Resource": "*"}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [reads]})
    iam.put_role_policy(RoleName="oaktree-github-plan", PolicyName="own", PolicyDocument=policy)
    (desk.checkout.environments / "service.txt").write_text("${missing.reference}")
    put_secret_of_dev(embedded)
    return replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))


@pytest.fixture(scope="module")
def job(
    desk: Desk,
    embedded: Embedded,
    github: FakeGitHub,
    tokens: TokenEndpoint,
    tmp_path_factory: pytest.TempPathFactory,
) -> Desk:
    """The desk as a job of a workflow, without any key of AWS."""
    directory = tmp_path_factory.mktemp("job")
    variables = {
        **{name: value for name, value in desk.environment.items() if not name.startswith("GITHUB_")},
        **tokens.variables(),
        **github.environ,
        "AWS_ENDPOINT_URL": embedded.endpoint,
        "GITHUB_ROLE": "plan",
        "GITHUB_OUTPUT": str(directory / "output"),
        "GITHUB_STEP_SUMMARY": str(directory / "summary.md"),
        "GITHUB_REPOSITORY": REPOSITORY,
        "GITHUB_SERVER_URL": "https://github.test",
    }
    return replace(desk, environment=variables)


def outputs(job: Desk) -> dict[str, str]:
    lines = Path(job.environment["GITHUB_OUTPUT"]).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines)


def test_all_stacks_are_reviewed_as_the_plan_role_and_the_pull_request_gets_one_comment(
    administrator: Desk, job: Desk, github: FakeGitHub, tokens: TokenEndpoint
) -> None:
    for command in ("plan", "apply"):
        assert administrator.run(command, "--stack", "foundation").returncode == 0
    done = job.run("review", "--commit", HEAD, "--pull-request", "7")
    assert done.returncode == 1
    assert "Not all could be planned: dev-service." in done.stderr
    assert "The comment is created: https://github.test/" in done.stdout
    assert len(tokens.asked) == 4
    (body,) = github.bodies()
    assert "ERRORED" in body
    assert all(f"`{stack}`" in body for stack in ("foundation", "dev-network", "dev-data", "dev-service"))
    assert f"commit `{HEAD[:12]}`" in body
    assert "https://github.test/example/oaktree/actions/runs/1" in body


def test_the_job_has_a_summary_and_says_the_verdict_and_where_it_is(job: Desk) -> None:
    assert "ERRORED" in Path(job.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert outputs(job)["verdict"] == "ERRORED"
    verdict = json.loads(Path(outputs(job)["file"]).read_text())
    assert {each["name"] for each in verdict["stacks"]} == {
        "foundation",
        "dev-network",
        "dev-data",
        "dev-service",
    }


def test_the_comment_of_a_former_commit_is_marked(job: Desk, github: FakeGitHub) -> None:
    github.heads[7] = NEXT
    done = job.run("review-outdated", "--pull-request", "7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Outdated" in github.bodies()[0]


def test_drift_opens_an_issue_that_follows_it(administrator: Desk, job: Desk, github: FakeGitHub) -> None:
    done = job.run("drift", "--commit", HEAD)
    assert done.returncode == 1
    assert "The issue: opened https://github.test/" in done.stdout
    (issue,) = github.issues
    assert issue["title"] == "Drift: dev-service, dev-data, dev-network"
    for stack in ("network", "data"):
        for command in ("plan", "apply"):
            assert administrator.run(command, "--env", "dev", "--stack", stack).returncode == 0
    assert job.run("drift", "--commit", HEAD).returncode == 1
    assert issue["title"] == "Drift: dev-service"


def test_without_a_token_of_github_nothing_is_posted_and_that_is_told(job: Desk) -> None:
    without = {name: value for name, value in job.environment.items() if name != "GITHUB_TOKEN"}
    done = replace(job, environment=without).run("review-outdated", "--pull-request", "7")
    assert done.returncode == 1
    assert "GITHUB_TOKEN" in done.stderr
    assert "Traceback" not in done.stderr
