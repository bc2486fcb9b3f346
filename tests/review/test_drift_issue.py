"""One issue for drift, which closes when it is gone, against a GitHub on the loopback."""

from collections.abc import Callable, Iterator

import pytest

from review.github import GitHub, GitHubError
from review.github.requests import Requests
from review.marker import Marker
from review.model import Plan, Stack
from review.posting.drift_issue import LABEL, Outcome, report_drift
from review.reading.plans import plan_of
from review.verdicts import Review, review_of
from tests.review.fake_github import REPOSITORY, FakeGitHub, Trouble, running_github

MARKER = Marker("oaktree-drift", "b" * 40, 1)


@pytest.fixture
def fake() -> Iterator[FakeGitHub]:
    with running_github() as running:
        yield running


@pytest.fixture
def client(fake: FakeGitHub) -> Iterator[GitHub]:
    with GitHub(Requests(fake.environ, sleep=lambda _: None), REPOSITORY) as client:
        yield client


def plan(*outputs: str) -> Plan:
    changes = {
        name: {"actions": ["create"], "before": None, "after": 1, "after_unknown": False} for name in outputs
    }
    return plan_of({"format_version": "1.2", "resource_changes": [], "output_changes": changes}, "0" * 64)


def review(**stacks: Plan | None) -> Review:
    made = [
        Stack(name.replace("_", "-"), "dev", plan, None if plan else "no plan")
        for name, plan in stacks.items()
    ]
    return review_of(made, MARKER)


def says(what: str) -> Callable[[int], str]:
    return lambda _budget: f"{MARKER.line()}\n{what}\n"


DRIFTED = review(dev_network=plan(), dev_service=plan("address"))
CLEAN = review(dev_network=plan(), dev_service=plan())


def test_drift_opens_one_issue_which_follows_it_and_closes_when_it_is_gone(
    fake: FakeGitHub, client: GitHub
) -> None:
    opened = report_drift(client, DRIFTED, says("one"))
    assert opened.outcome is Outcome.OPENED
    (issue,) = fake.issues
    assert issue["title"] == "Drift: dev-service"
    assert issue["labels"] == [LABEL]
    assert report_drift(client, DRIFTED, says("one")).outcome is Outcome.UNCHANGED
    assert fake.calls("PATCH") == []
    both = review(dev_network=plan("x"), dev_service=plan("address"))
    assert report_drift(client, both, says("two")).outcome is Outcome.UPDATED
    assert (issue["title"], issue["body"]) == ("Drift: dev-network, dev-service", f"{MARKER.line()}\ntwo\n")
    closed = report_drift(client, CLEAN, says("none"))
    assert closed.outcome is Outcome.CLOSED
    assert closed.url == opened.url
    assert issue["state"] == "closed"
    assert report_drift(client, DRIFTED, says("again")).outcome is Outcome.OPENED
    assert len(fake.issues) == 2


def test_without_drift_nothing_is_opened(fake: FakeGitHub, client: GitHub) -> None:
    assert report_drift(client, CLEAN, says("none")).outcome is Outcome.NONE
    assert fake.issues == []


def test_a_stack_that_cannot_be_planned_is_no_clean_bill(fake: FakeGitHub, client: GitHub) -> None:
    failed = review(dev_network=plan(), dev_service=None)
    assert report_drift(client, failed, says("failed")).outcome is Outcome.OPENED
    assert fake.issues[0]["title"] == "Drift: dev-service"


def test_an_issue_of_somebody_else_is_left_alone(fake: FakeGitHub, client: GitHub) -> None:
    theirs = fake.add_issue("Mine", f"{MARKER.line()}\n", [LABEL], user={"login": "somebody"})
    other = fake.add_issue("Drift", "without a marker", [LABEL])
    assert report_drift(client, CLEAN, says("none")).outcome is Outcome.NONE
    assert report_drift(client, DRIFTED, says("one")).outcome is Outcome.OPENED
    assert [each["state"] for each in (theirs, other)] == ["open", "open"]


def test_of_several_issues_the_oldest_stays(fake: FakeGitHub, client: GitHub) -> None:
    first, second = (fake.add_issue("Drift", says("old")(0), [LABEL]) for _ in range(2))
    assert report_drift(client, DRIFTED, says("new")).outcome is Outcome.UPDATED
    assert (first["state"], second["state"]) == ("open", "closed")
    assert first["body"] == says("new")(0)


def test_a_text_that_github_finds_too_long_is_rendered_shorter(fake: FakeGitHub, client: GitHub) -> None:
    fake.max_body = 20_000

    def render(budget: int) -> str:
        return f"{MARKER.line()}\n{'x' * (budget - 200)}\n"

    assert report_drift(client, DRIFTED, render).outcome is Outcome.OPENED
    assert len(fake.issues[0]["body"]) < 12_000


def test_a_refusal_is_told_with_the_permission_it_takes(fake: FakeGitHub, client: GitHub) -> None:
    fake.trouble.append(Trouble(403))
    with pytest.raises(GitHubError, match="issues: read"):
        report_drift(client, DRIFTED, says("one"))
    assert fake.issues == []
