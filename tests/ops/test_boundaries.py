"""The boundaries that an account has, held against those that are synthesized."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.local.embedded import Embedded
from ops.look.doctor_aws import AwsChecks
from ops.terraform import boundaries
from ops.terraform.boundaries import lacking
from ops.terraform.targets import target_of
from stacks.reading import read_platform
from stacks.settings import Platform
from tests.ops.conftest import ACCOUNT, REGION
from tests.stacks.platform_files import PROJECT, environment, write_platform

Statement = dict[str, Any]

SEND = {
    "Sid": "A",
    "Effect": "Allow",
    "Action": ["sqs:SendMessage"],
    "Resource": ["arn:aws:sqs:*:1:bounds-*"],
}
ACTIONS = st.sampled_from(["s3:GetObject", "s3:PutObject", "sqs:SendMessage", "sqs:*", "logs:Put*"])
RESOURCES = st.sampled_from(["*", "arn:aws:s3:::a/*", "arn:aws:s3:::b/*", "arn:aws:sqs:*:1:a-*"])
CONDITIONS = st.sampled_from([{}, {"StringEquals": {"aws:a": ["x", "y"]}}, {"Null": {"aws:a": ["true"]}}])
STATEMENTS = st.builds(
    lambda effect, actions, resources, condition: {
        "Effect": effect,
        "Action": actions,
        "Resource": resources,
        **({"Condition": condition} if condition else {}),
    },
    st.sampled_from(["Allow", "Allow", "Deny"]),
    st.lists(ACTIONS, min_size=1, unique=True),
    st.lists(RESOURCES, min_size=1, unique=True),
    CONDITIONS,
)


def document(*statements: Statement) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


@given(st.lists(STATEMENTS, max_size=5), st.randoms(use_true_random=False))
def test_the_order_and_form_of_lists_do_not_matter(statements: list[Statement], random: Any) -> None:
    def turned(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: turned(item) for key, item in reversed(value.items())}
        if isinstance(value, list):
            shuffled = random.sample(value, len(value))
            return shuffled[0] if len(shuffled) == 1 and isinstance(shuffled[0], str) else shuffled
        return value

    other = turned(document(*statements))
    assert lacking(document(*statements), other) == lacking(other, document(*statements)) == ()


@given(st.lists(STATEMENTS, max_size=4), st.lists(STATEMENTS, max_size=4))
def test_only_one_that_allows_more_lacks_nothing(some: list[Statement], more: list[Statement]) -> None:
    allowed = [each for each in more if each["Effect"] == "Allow"]
    assert lacking(document(*some), document(*some, *allowed)) == ()


@pytest.mark.parametrize(
    ("there", "missing"),
    [
        ([], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*"),
        ([SEND | {"Action": "sqs:DeleteMessage"}], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*"),
        ([SEND | {"Resource": "arn:aws:sqs:*:1:bounds-a"}], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*"),
        ([SEND | {"Resource": "arn:aws:sqs:?:1:bounds-*"}], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*"),
        ([SEND | {"Condition": {"Bool": {"a": "true"}}}], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*"),
        ([SEND, SEND | {"Effect": "Deny"}], "sqs:SendMessage on arn:aws:sqs:*:1:bounds-*, which it denies"),
        ([SEND | {"Action": ["SQS:send*"]}], None),
        ([SEND | {"Action": "sqs:*", "Resource": "*", "Sid": "Other"}], None),
    ],
)
def test_what_is_missing_is_said_by_action_and_resource(there: list[Statement], missing: str | None) -> None:
    assert lacking(document(SEND), document(*there)) == ((missing,) if missing else ())


def test_a_statement_about_all_but_some_has_to_be_there_as_it_is() -> None:
    but = {"Effect": "Deny", "NotAction": ["iam:GetRole", "iam:GetPolicy"], "Resource": "*"}
    again = but | {"NotAction": ["iam:GetPolicy", "iam:GetRole"], "Sid": "Other"}
    assert lacking(document(but), document(again)) == ()
    assert lacking(document(but), document()) == ()  # it denies less
    (refused,) = lacking(document(), document(but))
    assert "NotAction" in refused


class Account:
    """An account whose boundaries are `deployed`, and a checkout in which others are synthesized."""

    def __init__(self, embedded: Embedded, directory: Path) -> None:
        self.checkout = Checkout(directory)
        self.iam = embedded.client("iam", REGION, ACCOUNT)
        project = PROJECT.replace('name = "oaktree"', 'name = "bounds"')
        write_platform(self.checkout.environments, project, dev=environment())
        self.platform: Platform = read_platform(self.checkout.environments)
        self.target = target_of(self.platform, "dev", "service")

    def synthesize(self, **documents: dict[str, Any]) -> None:
        policies = {
            f"{name}_boundary": {
                "name": f"bounds-{name}-boundary",
                "policy": json.dumps(each).replace("${", "$${"),
            }
            for name, each in documents.items()
        }
        file = self.checkout.configuration("foundation")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps({"resource": {"aws_iam_policy": policies}}))

    def deploy(self, name: str, *statements: Statement) -> None:
        text = json.dumps(document(*statements))
        self.iam.create_policy(PolicyName=f"bounds-{name}-boundary", PolicyDocument=text)

    def noted(self) -> list[str]:
        said: list[str] = []
        boundaries.note(self.checkout, self.platform, self.target, said.append)
        return said

    def require(self) -> None:
        boundaries.require(self.checkout, self.platform, self.target, print)


@pytest.fixture
def account(embedded: Embedded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in embedded.environment(ACCOUNT, REGION, {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boundaries, "synthesize", lambda _: None)
    account = Account(embedded, tmp_path)
    yield account
    for name in ("workload", "job"):
        arn = f"arn:aws:iam::{ACCOUNT}:policy/bounds-{name}-boundary"
        if any(each["Arn"] == arn for each in account.iam.list_policies(Scope="Local")["Policies"]):
            account.iam.delete_policy(PolicyArn=arn)


OLDER = (
    f"The boundary bounds-workload-boundary of account {ACCOUNT} is older than the settings, so AWS denies "
    "its roles sqs:SendMessage on arn:aws:sqs:*:1:bounds-*\n    -> Apply the foundation first: "
    "make plan ENV=dev STACK=foundation && make apply ENV=dev STACK=foundation"
)
LOG_GROUP = "arn:aws:logs:*:*:log-group:/${aws:username}"
LOGS = SEND | {"Sid": "B", "Action": ["logs:PutLogEvents"], "Resource": [LOG_GROUP]}


@pytest.mark.e2e
def test_an_older_boundary_is_noted_by_plans_refused_by_deployments_and_found_by_the_doctor(
    account: Account,
) -> None:
    account.synthesize(workload=document(LOGS, SEND), job=document(LOGS))
    assert account.noted() == []  # There is no foundation.
    account.require()
    account.deploy("workload", LOGS)
    account.deploy("job", LOGS)
    assert account.noted() == [f"Note: {OLDER}"]
    with pytest.raises(OpsError) as refused:
        account.require()
    assert str(refused.value) == OLDER
    checks = AwsChecks(account.checkout, account.platform, account.platform.environments["dev"], ACCOUNT)
    (check,) = (each for each in checks.checks() if each.name == "boundaries")
    (finding,) = check.look()
    assert (finding.level, f"{finding.text}\n    -> {finding.mend}") == ("wrong", OLDER)


@pytest.mark.e2e
def test_a_boundary_that_allows_more_is_left_alone(account: Account) -> None:
    account.synthesize(workload=document(LOGS), job=document(LOGS))
    account.deploy("workload", SEND, LOGS)
    account.deploy("job", LOGS, SEND)
    assert account.noted() == []
    account.require()


@pytest.mark.e2e
def test_a_boundary_of_a_later_version_that_is_not_there_is_missed(account: Account) -> None:
    account.synthesize(workload=document(LOGS), job=document(SEND, SEND | {"Action": ["a:B", "a:C", "a:D"]}))
    account.deploy("workload", LOGS)
    (said,) = account.noted()
    assert "bounds-job-boundary of account" in said
    assert "a:B on arn:aws:sqs:*:1:bounds-*, a:C on arn:aws:sqs:*:1:bounds-* and 1 more\n" in said


@pytest.mark.e2e
def test_what_cannot_be_compared_refuses_nothing(
    account: Account, embedded: Embedded, monkeypatch: pytest.MonkeyPatch
) -> None:
    (said,) = account.noted()
    assert said == "Note: the permissions boundaries: nothing is synthesized yet\n    -> make synth"
    account.synthesize(workload=document(LOGS, SEND))
    account.deploy("workload", LOGS)
    trust = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"}
    text = json.dumps(document(trust))
    role = account.iam.create_role(RoleName="bounds-reader", AssumeRolePolicyDocument=text)["Role"]["Arn"]
    for name, value in embedded.variables(embedded.assume(role), REGION).items():
        monkeypatch.setenv(name, value)
    account.require()
    (said,) = account.noted()
    assert "these credentials lack iam:GetPolicy or iam:GetPolicyVersion" in said
