"""What the deploy role may do: gathered from the constructs, a policy for each kind, within IAM's quotas."""

import inspect
import json
import pkgutil
import re
from collections.abc import Callable
from fnmatch import fnmatchcase
from importlib import import_module
from pathlib import Path

import pytest

from ops.local.embedded_server.authorization.calls import Call
from ops.local.embedded_server.authorization.policies import Role
from stacks import constructs, kinds, permissions, policies
from stacks.policies import Statement, managed_document, merged
from stacks.problems import QuotaError
from stacks.reading import read_platform
from tests.places import ENVIRONMENTS
from tests.stacks.platform_files import PROJECT, environment, write_platform
from tests.stacks.terraform_json import Stack
from tests.stacks.test_synthesis import run_main

PLATFORM = read_platform(ENVIRONMENTS)


def test_every_kind_of_an_environments_stacks_has_a_policy(stacks: dict[str, Stack]) -> None:
    for foundation in ("foundation", "foundation-222222222222"):
        found = set(stacks[foundation].all("aws_iam_policy"))
        assert {f"github_deploy_{kind.name}_policy" for kind in kinds.OF_ENVIRONMENT} <= found


def test_the_deploy_role_runs_no_tasks_but_those_of_before_deploy_in_its_own_clusters() -> None:
    project, account_id = PLATFORM.project, PLATFORM.project.account_id
    gathered = [each for found in permissions.deploy(PLATFORM, account_id).values() for each in found]
    (found,) = (each for each in gathered if "ecs:RunTask" in each.actions)
    start = f"arn:aws:ecs:*:{account_id}"
    assert found.resources == [f"{start}:task-definition/{project.name}-*-*-before-deploy:*"]
    assert found.conditions == {"ArnLike": {"ecs:cluster": f"{start}:cluster/{project.name}-*"}}


def test_what_every_construct_asks_for_is_in_a_policy() -> None:
    project, account_id = PLATFORM.project, PLATFORM.project.account_id
    gathered = [*permissions.deploy(PLATFORM, account_id).values()]
    allowed = {action for statements in gathered for each in statements for action in each.actions}
    for module in pkgutil.iter_modules(constructs.__path__):
        construct = import_module(f"stacks.constructs.{module.name}")
        asked = tuple(getattr(construct, "DEPLOY", ()))
        if deploy := getattr(construct, "deploy", None):
            names = {"platform": PLATFORM, "project": project, "account_id": account_id}
            asked += tuple(deploy(*(names[name] for name in inspect.signature(deploy).parameters)))
        for statement in asked:
            assert set(statement.actions) <= allowed, module.name
        if linked := getattr(construct, "LINKED_ROLE", None):
            created = [
                each.conditions["StringEquals"]["iam:AWSServiceName"]
                for statements in gathered
                for each in statements
                if each.sid == "CreateServiceLinkedRoles"
            ]
            assert any(linked in services for services in created), module.name


@pytest.mark.parametrize(
    ("kind", "action"),
    [
        (kinds.NETWORK, "ec2:CreateVpc"),
        (kinds.NETWORK, "ec2:CreateSecurityGroup"),
        (kinds.NETWORK, "iam:CreateRole"),
        (kinds.NETWORK, "logs:CreateLogGroup"),
        (kinds.DATA, "dynamodb:CreateTable"),
        (kinds.SERVICE, "ec2:AuthorizeSecurityGroupIngress"),
        (kinds.SERVICE, "ecs:CreateService"),
        (kinds.SERVICE, "iam:CreateServiceLinkedRole"),
        (kinds.SERVICE, "elasticloadbalancing:CreateLoadBalancer"),
    ],
)
def test_a_kinds_policy_allows_what_its_own_stack_creates(kind: kinds.Kind, action: str) -> None:
    statements = permissions.deploy(PLATFORM, PLATFORM.project.account_id)[kind]
    assert any(fnmatchcase(action, allowed) for each in statements for allowed in each.actions)


def test_no_statement_is_in_two_policies() -> None:
    policies_of_kinds = permissions.deploy(PLATFORM, PLATFORM.project.account_id).values()
    every = [statement for statements in policies_of_kinds for statement in statements]
    assert not [statement for statement in every if every.count(statement) > 1]


def test_statements_of_one_sid_are_joined() -> None:
    one, other = Statement("A", ["b:B", "a:A"], ["*"]), Statement("A", ["c:C", "a:A"], ["*"])
    assert merged([one, Statement("B", ["a:A"], ["*"]), other]) == (
        Statement("A", ["a:A", "b:B", "c:C"], ["*"]),
        Statement("B", ["a:A"], ["*"]),
    )


def test_statements_of_one_sid_must_differ_in_their_actions_only() -> None:
    with pytest.raises(ValueError, match="two statements A differ"):
        merged([Statement("A", ["a:A"], ["*"]), Statement("A", ["a:A"], ["arn:aws:s3:::bucket"])])


PROD = "222222222222"
SCALED = "application-autoscaling:service-namespace"
NAMES = "route53:ChangeResourceRecordSetsNormalizedRecordNames"
OURS, THEIRS = ({"aws:ResourceTag/project": (name,)} for name in ("oaktree", "other"))
GIVEN, CREATED = {"aws:RequestTag/project": ("oaktree",)}, {"ec2:CreateAction": ("CreateVpc",)}
VPC, ACL, ZONE = "vpc/vpc-1", "network-acl/acl-1", "arn:aws:route53:::hostedzone/Z1"
ALARM = f"arn:aws:cloudwatch:eu-central-1:{PROD}:alarm"
CHAT = f"arn:aws:chatbot::{PROD}:chat-configuration"
CERTIFICATE = f"arn:aws:acm:eu-central-1:{PROD}:certificate/1"


@pytest.mark.parametrize(
    ("action", "resource", "context", "allowed"),
    [
        ("ec2:CreateVpc", VPC, GIVEN, True),
        ("ec2:CreateVpc", VPC, {}, False),
        ("ec2:CreateSubnet", VPC, OURS, True),
        ("ec2:CreateSubnet", VPC, THEIRS, False),
        ("ec2:DeleteVpc", VPC, OURS, True),
        ("ec2:DeleteVpc", VPC, THEIRS, False),
        ("ec2:DeleteVpc", VPC, {}, False),
        ("ec2:CreateTags", VPC, {**GIVEN, **CREATED}, True),
        ("ec2:CreateTags", VPC, GIVEN, False),
        ("ec2:CreateTags", VPC, {**GIVEN, **THEIRS}, False),
        ("ec2:CreateTags", ACL, GIVEN, True),
        ("ec2:CreateTags", ACL, {**GIVEN, **THEIRS}, False),
        ("ec2:ModifySecurityGroupRules", "prefix-list/pl-1", {}, True),
        ("ec2:ModifySecurityGroupRules", "security-group/sg-1", {}, False),
        ("ec2:DisassociateAddress", "elastic-ip/eipalloc-1", OURS, True),
        ("ec2:DisassociateAddress", "elastic-ip/eipalloc-1", THEIRS, False),
        ("ec2:DisassociateAddress", "*/*", {}, True),
        ("ec2:DeleteNetworkAclEntry", ACL, {}, True),
        ("ec2:DeleteNetworkAclEntry", ACL, THEIRS, False),
        ("route53:ChangeResourceRecordSets", ZONE, {NAMES: ("status.example.com",)}, True),
        ("route53:ChangeResourceRecordSets", ZONE, {NAMES: ("_1.status.example.com",)}, True),
        ("route53:ChangeResourceRecordSets", ZONE, {NAMES: ("example.com",)}, False),
        ("route53:ChangeResourceRecordSets", ZONE, {NAMES: ("status.example.com", "www.example.com")}, False),
        ("acm:RequestCertificate", "", {"acm:DomainNames": ("status.example.com",)}, True),
        ("acm:RequestCertificate", "", {"acm:DomainNames": ("www.example.com",)}, False),
        ("acm:AddTagsToCertificate", CERTIFICATE, GIVEN, True),
        ("acm:AddTagsToCertificate", CERTIFICATE, {**OURS, "aws:RequestTag/owner": ("somebody",)}, True),
        ("acm:AddTagsToCertificate", CERTIFICATE, {**OURS, "aws:RequestTag/project": ("other",)}, False),
        ("acm:AddTagsToCertificate", CERTIFICATE, {**GIVEN, **THEIRS}, False),
        ("acm:DeleteCertificate", CERTIFICATE, OURS, True),
        ("acm:DeleteCertificate", CERTIFICATE, THEIRS, False),
        ("application-autoscaling:PutScalingPolicy", "", {SCALED: ("ecs",)}, True),
        ("application-autoscaling:PutScalingPolicy", "", {SCALED: ("dynamodb",)}, False),
        ("cloudwatch:PutMetricAlarm", f"{ALARM}:TargetTracking-service/oaktree-prod/x-AlarmHigh-1", {}, True),
        ("cloudwatch:DeleteAlarms", f"{ALARM}:TargetTracking-service/other-prod/x-AlarmHigh-1", {}, False),
        # By a policy on every alarm only.
        ("cloudwatch:PutCompositeAlarm", "", {}, True),
        ("cloudwatch:DeleteAlarms", f"{ALARM}:oaktree-prod/unhealthy", {}, True),
        ("cloudwatch:DeleteAlarms", f"{ALARM}:other-prod/unhealthy", {}, False),
        ("cloudwatch:PutDashboard", f"arn:aws:cloudwatch::{PROD}:dashboard/oaktree-prod", {}, True),
        ("cloudwatch:DeleteDashboards", f"arn:aws:cloudwatch::{PROD}:dashboard/other-prod", {}, False),
        ("logs:PutQueryDefinition", "", {}, True),
        ("chatbot:CreateSlackChannelConfiguration", "", {}, True),
        ("chatbot:DeleteSlackChannelConfiguration", f"{CHAT}/slack-channel/oaktree-prod-slack", {}, True),
        ("chatbot:UpdateMicrosoftTeamsChannelConfiguration", f"{CHAT}/x/other-prod-teams", {}, False),
    ],
)
def test_the_deploy_role_changes_only_what_is_the_projects(
    action: str, resource: str, context: dict[str, tuple[str, ...]], allowed: bool
) -> None:
    of_kinds = permissions.deploy(PLATFORM, PROD).values()
    documents = [json.loads(policies.document(*statements)) for statements in of_kinds]
    role = Role(PROD, "deploy", tuple(each for found in documents for each in found["Statement"]))
    named = resource if resource.startswith("arn:") else f"arn:aws:ec2:eu-central-1:{PROD}:{resource}"
    assert role.allows(Call(action, (named,) if resource else (), context)) is allowed


def test_statements_fill_one_policy_after_the_other() -> None:
    one, two, three = (Statement(sid, ["s3:GetObject"], ["x" * 2900]) for sid in ("A", "B", "C"))
    for those in policies.packed([one, two, three]):
        managed_document("fits", *those)
    assert [each for those in policies.packed([one, two, three]) for each in those] == [one, two, three]
    assert len(policies.packed([one, two, three])) == 2


def test_a_managed_policy_may_have_6144_characters_without_white_space() -> None:
    def resources(characters: int) -> Statement:
        return Statement("A", ["a:A"], ["x" * characters])

    rest = len(re.sub(r"\s", "", managed_document("small", resources(0))))
    fits = managed_document("fits", resources(6144 - rest))
    assert len(json.dumps(json.loads(fits), separators=(",", ":"))) == 6144
    with pytest.raises(QuotaError, match=r"IAM policy large would have 6145 characters .* AWS allows 6144"):
        managed_document("large", resources(6145 - rest))


def of_length(length: int, document: Callable[..., str], *arguments: str) -> str:
    """A document of one statement, this many characters long without white space."""
    rest = len(re.sub(r"\s", "", policies.document(Statement("Some", ["s3:GetObject"], [""]))))
    return document(*arguments, Statement("Some", ["s3:GetObject"], ["x" * (length - rest)]))


@pytest.mark.parametrize(
    ("document", "what", "limit"),
    [
        (policies.trust_document, "trust policy of the IAM role some-role", 2048),
        (policies.inline_document, "inline policy of the IAM role some-role", 10240),
    ],
)
def test_policies_of_a_role_longer_than_iam_allows_are_refused(
    document: Callable[..., str], what: str, limit: int
) -> None:
    assert (
        len(json.dumps(json.loads(of_length(limit, document, "some-role")), separators=(",", ":"))) == limit
    )
    with pytest.raises(
        QuotaError, match=rf"{what} would have {limit + 1} characters .* AWS allows {limit}\."
    ):
        of_length(limit + 1, document, "some-role")


def test_a_reference_counts_for_the_arn_that_it_may_become() -> None:
    references = ["${aws_dynamodb_table.table.arn}"] * 40
    with pytest.raises(QuotaError, match="inline policy of the IAM role some-role would have 10"):
        policies.inline_document("some-role", Statement("Some", ["dynamodb:GetItem"], references))


def test_environments_that_a_trust_policy_has_no_room_for_are_refused_in_one_line(tmp_path: Path) -> None:
    long = "o" * 90
    project = PROJECT.replace("example/oaktree", f"{long}/{long}")
    many = {
        f"env{number}": environment(network=f'network = {{ cidr = "10.{number}.0.0/16" }}\n')
        for number in range(5)
    }
    ids = "repository_owner_id = 1001\nrepository_id = 2002\n"
    environments = write_platform(tmp_path / "environments", project + ids, **many)
    result = run_main("--environments", environments, "--outdir", tmp_path / "cdktf.out")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "The trust policy of the IAM role oaktree-github-plan would have" in result.stderr
    assert "move some to another account" in result.stderr


def test_an_account_with_too_many_environments_is_refused_in_one_line(tmp_path: Path) -> None:
    many = {
        f"env{number}": environment(network=f'network = {{ cidr = "10.{number}.0.0/16" }}\n')
        for number in range(60)
    }
    environments = write_platform(tmp_path / "environments", **many)
    result = run_main("--environments", environments, "--outdir", tmp_path / "cdktf.out")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert re.match(r"The (IAM|trust) policy (of .* )?oaktree-github-\S+ would have \d+ ch", result.stderr)
    assert not (tmp_path / "cdktf.out").exists()


def test_a_boundary_that_is_too_large_names_the_services_with_the_most_permissions(tmp_path: Path) -> None:
    def service(name: str, buckets: int) -> str:
        arns = ", ".join(f'"arn:aws:s3:::{name}-{number:04}/*"' for number in range(buckets))
        permissions = f"permissions = [{{ actions = ['s3:GetObject'], resources = [{arns}] }}]\n"
        return f"[services.{name}]\nkind = 'worker'\ndockerfile = 'Dockerfile'\n{permissions}"

    services = service("few", 1) + service("many", 200)
    environments = write_platform(tmp_path / "environments", dev=environment(services=services))
    result = run_main("--environments", environments, "--outdir", tmp_path / "cdktf.out")
    assert (result.returncode, len(result.stderr.splitlines())) == (2, 1)
    assert "IAM policy oaktree-workload-boundary would have" in result.stderr
    assert result.stderr.endswith(
        " The services with the most permissions: dev.toml: services.many.permissions (4812 characters), "
        "dev.toml: services.few.permissions (35 characters).\n"
    )


def test_a_role_may_have_ten_managed_policies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from stacks.synthesis import synthesize

    monkeypatch.setattr(policies, "POLICIES_OF_A_ROLE", 2)
    with pytest.raises(QuotaError, match="role oaktree-github-deploy would have 5 managed policies"):
        synthesize(PLATFORM, tmp_path / "cdktf.out")
