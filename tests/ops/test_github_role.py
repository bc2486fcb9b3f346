"""Acting as a role that GitHub's token is exchanged for."""

import os
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from ops.core.clients import ambient_client
from ops.core.errors import OpsError, UsageError
from ops.github.role import act_in
from ops.local.embedded import Embedded
from stacks.settings import Platform
from tests.ops.conftest import ACCOUNT, REGION
from tests.ops.github_tokens import MAIN, TokenEndpoint, serving_tokens, token, trust, trust_github
from tests.stacks.terraform_json import stacks_of_tests

pytestmark = pytest.mark.e2e

OTHER = "222222222222"


@pytest.fixture
def tokens() -> Iterator[TokenEndpoint]:
    with serving_tokens() as endpoint:
        yield endpoint


@pytest.fixture(scope="module")
def trusting(embedded: Embedded) -> Embedded:
    """The embedded AWS with roles in two accounts that admit jobs on main."""
    for account in (ACCOUNT, OTHER):
        iam = embedded.client("iam", REGION, account)
        trust_github(iam)
        policy = trust(account, MAIN)
        iam.create_role(RoleName="oaktree-github-plan", AssumeRolePolicyDocument=policy)
        iam.create_role(RoleName="founder", Path="/teams/", AssumeRolePolicyDocument=policy)
    return embedded


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that retries have waited, without waiting."""
    waited: list[float] = []
    monkeypatch.setattr("ops.github.role.time.sleep", waited.append)
    return waited


@pytest.fixture
def job(
    monkeypatch: pytest.MonkeyPatch, trusting: Embedded, tokens: TokenEndpoint, waits: list[float]
) -> pytest.MonkeyPatch:
    """A job of a workflow, without any key of AWS."""
    assert waits == []
    for name in list(os.environ):
        if name.startswith(("AWS_", "ACTIONS_", "GITHUB_")):
            monkeypatch.delenv(name)
    for name, value in {**tokens.variables(), "AWS_ENDPOINT_URL": trusting.endpoint}.items():
        monkeypatch.setenv(name, value)
    # Set through it, so that it is undone.
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)
    return monkeypatch


def caller() -> str:
    identity: str = ambient_client("sts", REGION).get_caller_identity()["Arn"]
    return identity


def test_a_job_acts_as_its_role_in_one_account_after_the_other(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    for account in (ACCOUNT, OTHER):
        act_in(platform.project, account, REGION)
        assert caller() == f"arn:aws:sts::{account}:assumed-role/oaktree-github-plan/oaktree-1"
    assert tokens.asked == [{"api-version": ["2.0"], "audience": ["sts.amazonaws.com"]}] * 2


def test_a_role_of_ones_own_is_taken_by_its_arn(job: pytest.MonkeyPatch, platform: Platform) -> None:
    job.setenv("GITHUB_ROLE", f"arn:aws:iam::{ACCOUNT}:role/teams/founder")
    act_in(platform.project, ACCOUNT, REGION)
    assert "founder" in caller()


def test_at_a_desk_the_credentials_stay_what_they_are(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint
) -> None:
    job.delenv("GITHUB_ROLE", raising=False)
    act_in(platform.project, ACCOUNT, REGION)
    assert "AWS_ACCESS_KEY_ID" not in os.environ
    assert tokens.asked == []


@pytest.mark.parametrize(
    ("role", "told"),
    [
        ("admin", "GITHUB_ROLE=admin is not a role. Use one of plan, push, deploy"),
        (f"arn:aws:iam::{OTHER}:role/x", f"is a role of account {OTHER}; this belongs to {ACCOUNT}"),
    ],
)
def test_what_is_no_role_is_told(job: pytest.MonkeyPatch, platform: Platform, role: str, told: str) -> None:
    job.setenv("GITHUB_ROLE", role)
    with pytest.raises(UsageError, match=told):
        act_in(platform.project, ACCOUNT, REGION)


def test_a_job_that_may_have_no_token_is_told_which_permission_it_lacks(
    job: pytest.MonkeyPatch, platform: Platform
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    job.delenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
    with pytest.raises(OpsError, match="id-token: write"):
        act_in(platform.project, ACCOUNT, REGION)


def test_a_refused_token_is_told_without_the_key(
    job: pytest.MonkeyPatch, platform: Platform, waits: list[float]
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    job.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "another-key")
    with pytest.raises(OpsError, match="GitHub gave no token for this job: status 401") as told:
        act_in(platform.project, ACCOUNT, REGION)
    assert "another-key" not in str(told.value)
    assert waits == []


@pytest.mark.parametrize("status", [403, 429, 503])
def test_a_token_that_github_does_not_give_at_once_is_asked_for_again(
    job: pytest.MonkeyPatch,
    platform: Platform,
    tokens: TokenEndpoint,
    waits: list[float],
    capsys: pytest.CaptureFixture[str],
    status: int,
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    tokens.failures = [status, status]
    act_in(platform.project, ACCOUNT, REGION)
    assert waits == [1, 2]
    told = capsys.readouterr().err
    assert told.startswith(f"GitHub gave no token for this job: status {status}. Trying again in 1 s.\n")


def test_a_token_that_github_never_gives_is_told_after_seven_seconds(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint, waits: list[float]
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    tokens.failures = [503] * 9
    with pytest.raises(OpsError, match="GitHub gave no token for this job: status 503"):
        act_in(platform.project, ACCOUNT, REGION)
    job.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", "http://127.0.0.1:9")
    with pytest.raises(OpsError, match="GitHub gave no token for this job: "):
        act_in(platform.project, ACCOUNT, REGION)
    assert waits == [1, 2, 4] * 2


@pytest.mark.parametrize("answer", [b"nonsense", b"[]", b'{"count": 1}'])
def test_an_answer_without_a_token_is_told(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint, answer: bytes
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    tokens.instead = answer
    with pytest.raises(OpsError, match="GitHub gave no token"):
        act_in(platform.project, ACCOUNT, REGION)


def test_a_role_that_aws_refuses_is_named(job: pytest.MonkeyPatch, platform: Platform) -> None:
    job.setenv("GITHUB_ROLE", "deploy")
    job.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(OpsError, match=f"assume arn:aws:iam::{ACCOUNT}:role/oaktree-github-deploy"):
        act_in(platform.project, ACCOUNT, REGION)


FORMS = ("repo:example/oaktree", "repo:example@1001/oaktree@2002")
JOBS = {
    "plan": ("pull_request", "ref:refs/heads/main", "environment:dev"),
    "push": ("ref:refs/heads/main",),
    "deploy": ("environment:dev", "environment:staging"),
}


@pytest.mark.parametrize("duty", JOBS)
def test_roles_as_synthesized_admit_both_forms_of_their_subjects_only(trusting: Embedded, duty: str) -> None:
    iam, sts = trusting.client("iam", REGION), trusting.client("sts", REGION)
    policy = stacks_of_tests()["foundation"].one("aws_iam_role", f"github_{duty}")["assume_role_policy"]
    role = iam.create_role(RoleName=f"synthesized-{duty}", AssumeRolePolicyDocument=policy)["Role"]["Arn"]

    def assume(subject: str) -> None:
        sts.assume_role_with_web_identity(
            RoleArn=role, RoleSessionName="job", WebIdentityToken=token(subject)
        )

    for subject in (f"{form}:{job}" for form in FORMS for job in JOBS[duty]):
        assume(subject)
    others = ("repo:example@1001/oaktree@2003", "repo:example@1/oaktree@2002", "repo:other/oaktree")
    for subject in (
        *(f"{form}:environment:prod" for form in FORMS),
        *(f"{o}:{JOBS[duty][0]}" for o in others),
    ):
        with pytest.raises(ClientError, match="AccessDenied"):
            assume(subject)


IMMUTABLE = "repo:example@1001/oaktree@2002:ref:refs/heads/main"


def refusal(platform: Platform, **ids: int) -> str:
    """The error of a job that its role does not admit."""
    project = platform.project.model_copy(update=ids)
    with pytest.raises(OpsError) as told:
        act_in(project, ACCOUNT, REGION)
    return str(told.value)


def test_a_refused_job_is_told_its_subject_and_the_ids_to_set(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint, waits: list[float]
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    tokens.subject = IMMUTABLE
    told = refusal(platform)
    assert "Not authorized to perform sts:AssumeRoleWithWebIdentity" in told
    assert f"\nThe token's subject is {IMMUTABLE}. The trust policy has to name exactly that: " in told
    assert "aws iam get-role --role-name oaktree-github-plan --query Role.AssumeRolePolicyDocument" in told
    assert told.endswith(
        "\nSet repository_owner_id = 1001 and repository_id = 2002 in environments/project.toml, and apply "
        f"the foundation of account {ACCOUNT}."
    )
    assert waits == [1, 2, 4]


def test_a_refused_job_whose_ids_are_set_or_not_in_its_subject_is_told_no_ids(
    job: pytest.MonkeyPatch, platform: Platform, tokens: TokenEndpoint
) -> None:
    job.setenv("GITHUB_ROLE", "plan")
    tokens.subject = IMMUTABLE
    assert "Set repository" not in refusal(platform, repository_owner_id=1001, repository_id=2002)
    assert "Set repository" in refusal(platform, repository_owner_id=1001, repository_id=2003)
    tokens.subject = "repo:example/oaktree:pull_request"
    told = refusal(platform)
    assert "The token's subject is repo:example/oaktree:pull_request." in told
    assert "Set repository" not in told


def test_a_role_that_comes_to_exist_meanwhile_is_assumed(
    job: pytest.MonkeyPatch, platform: Platform, trusting: Embedded
) -> None:
    job.setenv("GITHUB_ROLE", "push")
    iam = trusting.client("iam", REGION)

    def create(_: float) -> None:
        iam.create_role(RoleName="oaktree-github-push", AssumeRolePolicyDocument=trust(ACCOUNT, MAIN))

    job.setattr("ops.github.role.time.sleep", create)
    act_in(platform.project, ACCOUNT, REGION)
    assert "oaktree-github-push" in caller()
