"""The foundation: state, registry, and roles that can do what they must and no more."""

import json
import re
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import Any

import pytest

from stacks.constructs import image_repository
from stacks.naming import GITHUB_SESSION_SECONDS
from stacks.policies import Statement, document
from stacks.status_app import STATUS
from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import PROJECT, environment
from tests.stacks.terraform_json import Stack

HOME, OTHER = "foundation", "foundation-222222222222"


def trust_of(stack: Stack, role: str) -> list[str]:
    """The subjects that a GitHub role's trust policy admits."""
    policy = json.loads(stack.one("aws_iam_role", role)["assume_role_policy"])
    (statement,) = policy["Statement"]
    condition = statement["Condition"]["StringEquals"]
    assert condition["token.actions.githubusercontent.com:aud"] == "sts.amazonaws.com"
    subjects: list[str] = condition["token.actions.githubusercontent.com:sub"]
    return subjects


def test_state_is_versioned_encrypted_and_private(stacks: dict[str, Stack]) -> None:
    stack = stacks[HOME]
    assert stack.one("aws_s3_bucket")["bucket"] == "oaktree-state-111111111111-eu-central-1"
    assert stack.one("aws_s3_bucket")["lifecycle"] == {"prevent_destroy": True}
    assert stack.one("aws_s3_bucket_versioning")["versioning_configuration"] == {"status": "Enabled"}
    assert stack.one("aws_s3_bucket_server_side_encryption_configuration")["rule"]
    block = stack.one("aws_s3_bucket_public_access_block")
    assert all(block[key] is True for key in block if key.startswith(("block", "ignore", "restrict")))
    (rule,) = stack.one("aws_s3_bucket_lifecycle_configuration")["rule"]
    assert rule["noncurrent_version_expiration"] == [{"noncurrent_days": 90}]
    assert "expiration" not in rule


def test_former_versions_expire_only_once_there_can_be_any(stacks: dict[str, Stack]) -> None:
    """S3 refuses rules on former versions of a bucket that is not versioned yet."""
    for stack in stacks.values():
        for name in stack.all("aws_s3_bucket"):
            expiry = stack.one("aws_s3_bucket_lifecycle_configuration", f"{name}_expiry")
            assert expiry["depends_on"] == [f"aws_s3_bucket_versioning.{name}_versions"]


def test_every_bucket_refuses_what_does_not_come_over_tls(stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        for name in stack.all("aws_s3_bucket"):
            policy = json.loads(stack.one("aws_s3_bucket_policy", f"{name}_policy")["policy"])
            assert policy["Statement"][0]["Effect"] == "Deny"
            assert policy["Statement"][0]["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_images_are_immutable_scanned_and_expire_only_without_a_tag(stacks: dict[str, Stack]) -> None:
    repository = stacks[HOME].one("aws_ecr_repository")
    assert repository["name"] == "oaktree/web"
    assert repository["image_tag_mutability"] == "IMMUTABLE"
    assert repository["image_scanning_configuration"] == {"scan_on_push": True}
    assert repository["encryption_configuration"]
    rules = json.loads(stacks[HOME].one("aws_ecr_lifecycle_policy")["policy"])["rules"]
    assert [rule["selection"]["tagStatus"] for rule in rules] == ["untagged"]


def test_other_accounts_execution_roles_may_pull_and_their_apps_may_ask(stacks: dict[str, Stack]) -> None:
    policy = json.loads(stacks[HOME].one("aws_ecr_repository_policy")["policy"])
    pull, find, check = policy["Statement"]
    assert find["Action"] == ["ecr:DescribeImages"]
    assert check["Action"] == ["ecr:BatchGetImage", "ecr:DescribeImageScanFindings"]
    for statement in (pull, find, check):
        assert statement["Principal"] == {"AWS": ["arn:aws:iam::222222222222:root"]}
    for statement, key in ((pull, "web_execution_role"), (check, "web_task_role")):
        (pattern,) = statement["Condition"]["ArnLike"]["aws:PrincipalArn"]
        role = stacks["prod-service"].one("aws_iam_role", key)["name"]
        assert fnmatchcase(f"arn:aws:iam::222222222222:role/{role}", pattern)
        assert not fnmatchcase("arn:aws:iam::222222222222:role/another", pattern)


def test_an_app_that_asks_nothing_about_images_has_no_statement_without_actions(
    synthesize: Synthesize, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(image_repository, "STATUS", replace(STATUS, grants=()))
    prod = environment().replace('account_id = "111111111111"', 'account_id = "222222222222"')
    policy = synthesize(prod=prod)[HOME].one("aws_ecr_repository_policy")["policy"]
    assert [item["Sid"] for item in json.loads(policy)["Statement"]] == [
        "PullByExecutionRoles",
        "FindReleases",
    ]


def test_a_statement_without_actions_is_refused() -> None:
    with pytest.raises(ValueError, match="statements without actions: Empty"):
        document(Statement("Full", ["s3:GetObject"], ["*"]), Statement("Empty", [], ["*"]))


def test_another_account_may_use_the_states_of_its_own_stacks_only(stacks: dict[str, Stack]) -> None:
    policy = json.loads(stacks[HOME].one("aws_s3_bucket_policy")["policy"])
    bucket = "arn:aws:s3:::oaktree-state-111111111111-eu-central-1"
    use = next(item for item in policy["Statement"] if item["Sid"] == "Use222222222222")
    assert use["Resource"] == [
        f"{bucket}/{stack}.tfstate{suffix}"
        for stack in (OTHER, "prod-network", "prod-data", "prod-service")
        for suffix in ("", ".tflock")
    ]


def test_an_account_alone_shares_with_nobody(synthesize: Synthesize) -> None:
    stacks = synthesize(dev=environment())
    assert stacks[HOME].all("aws_ecr_repository_policy") == {}
    assert len(json.loads(stacks[HOME].one("aws_s3_bucket_policy")["policy"])["Statement"]) == 1


def test_state_and_registry_stand_in_one_account(stacks: dict[str, Stack]) -> None:
    assert stacks[OTHER].all("aws_s3_bucket") == stacks[OTHER].all("aws_ecr_repository") == {}
    assert set(stacks[OTHER].all("aws_iam_role")) == {"github_plan", "github_deploy"}
    assert set(stacks[HOME].all("aws_iam_role")) == {"github_plan", "github_push", "github_deploy"}


def test_roles_trust_only_this_repository_and_what_each_is_for(stacks: dict[str, Stack]) -> None:
    main, here = "ref:refs/heads/main", ["environment:dev", "environment:staging"]

    def both_forms(*subjects: str) -> list[str]:
        forms = ("repo:example/oaktree", "repo:example@1001/oaktree@2002")
        return [f"{form}:{subject}" for form in forms for subject in subjects]

    assert trust_of(stacks[HOME], "github_plan") == both_forms("pull_request", main, *here)
    assert trust_of(stacks[HOME], "github_push") == both_forms(main)
    assert trust_of(stacks[HOME], "github_deploy") == both_forms(*here)
    assert trust_of(stacks[OTHER], "github_deploy") == both_forms("environment:prod")


def test_without_ids_roles_trust_subjects_by_name_only(synthesize: Synthesize) -> None:
    stacks = synthesize(dev=environment())
    assert trust_of(stacks[HOME], "github_deploy") == ["repo:example/oaktree:environment:dev"]


def test_an_existing_oidc_provider_is_used_and_not_managed(synthesize: Synthesize) -> None:
    project = f'{PROJECT}accounts_with_oidc_provider = ["222222222222"]\n'
    other = environment(network='network = { cidr = "10.20.0.0/16" }\n').replace(
        "111111111111", "222222222222"
    )
    stacks = synthesize(project, dev=environment(), prod=other)
    for name, account_id, depends_on in (
        (HOME, "111111111111", ["aws_iam_openid_connect_provider.github"]),
        (OTHER, "222222222222", None),
    ):
        managed = stacks[name].all("aws_iam_openid_connect_provider")
        assert len(managed) == (1 if depends_on else 0)
        role = stacks[name].one("aws_iam_role", "github_plan")
        assert role.get("depends_on") == depends_on
        (statement,) = json.loads(role["assume_role_policy"])["Statement"]
        arn = f"arn:aws:iam::{account_id}:oidc-provider/token.actions.githubusercontent.com"
        assert statement["Principal"] == {"Federated": arn}


def test_roles_can_be_assumed_for_as_long_as_jobs_ask_to(stacks: dict[str, Stack]) -> None:
    roles = {**stacks[OTHER].all("aws_iam_role"), **stacks[HOME].all("aws_iam_role")}
    longest = {name.removeprefix("github_"): role["max_session_duration"] for name, role in roles.items()}
    assert longest == GITHUB_SESSION_SECONDS


def policies_of(stack: Stack, role: str) -> list[dict[str, Any]]:
    """Every statement that a GitHub role's attached policies allow or deny."""
    attached = [
        item["policy_arn"].removeprefix("${aws_iam_policy.").removesuffix(".arn}")
        for item in stack.all("aws_iam_role_policy_attachment").values()
        if item["role"] == f"${{aws_iam_role.{role}.name}}"
    ]
    return [
        statement
        for name in attached
        for statement in json.loads(stack.one("aws_iam_policy", name)["policy"])["Statement"]
    ]


def test_the_plan_role_changes_nothing_and_takes_no_lock(stacks: dict[str, Stack]) -> None:
    for stack in (stacks[HOME], stacks[OTHER]):
        for statement in policies_of(stack, "github_plan"):
            assert [
                action
                for action in statement["Action"]
                if not action.split(":")[1].startswith(("Describe", "Get", "List", "Validate"))
            ] == []


def test_the_plan_role_reads_no_secret_and_no_data(stacks: dict[str, Stack]) -> None:
    allowed = {
        action for statement in policies_of(stacks[HOME], "github_plan") for action in statement["Action"]
    }
    assert not allowed & {
        "secretsmanager:GetSecretValue",
        "dynamodb:GetItem",
        "dynamodb:Query",
        "logs:GetLogEvents",
    }
    parameters = [
        resource
        for statement in policies_of(stacks[HOME], "github_plan")
        if any(action.startswith("ssm:GetParameter") for action in statement["Action"])
        for resource in statement["Resource"]
    ]
    assert parameters == ["arn:aws:ssm:*:111111111111:parameter/oaktree/*/releases*"]


def test_roles_use_the_states_of_their_own_account_only(stacks: dict[str, Stack]) -> None:
    bucket = "arn:aws:s3:::oaktree-state-111111111111-eu-central-1"
    own = {HOME: ("dev", "staging"), OTHER: ("prod",)}
    for name, environments in own.items():
        by_sid: dict[str, list[str]] = {}
        for statement in policies_of(stacks[name], "github_deploy"):
            by_sid.setdefault(statement["Sid"], []).extend(statement["Resource"])
            if statement["Sid"] == "LockStates":
                assert statement["Action"] == ["s3:DeleteObject", "s3:GetObject", "s3:PutObject"]
        written = [
            f"{bucket}/{env}-{kind}.tfstate"
            for kind in ("network", "data", "service")
            for env in environments
        ]
        assert by_sid["WriteStates"] == written
        assert by_sid["LockStates"] == [f"{state}.tflock" for state in written]
        assert by_sid["ReadStates"] == [f"{bucket}/{name}.tfstate", *written]


def test_the_deploy_role_writes_and_locks_release_records_and_deletes_none(stacks: dict[str, Stack]) -> None:
    for name, account_id in ((HOME, "111111111111"), (OTHER, "222222222222")):
        parameters = f"arn:aws:ssm:*:{account_id}:parameter/oaktree/*"
        by_action: dict[str, list[str]] = {}
        for statement in policies_of(stacks[name], "github_deploy"):
            for action in statement["Action"]:
                by_action.setdefault(action, []).extend(statement["Resource"])
        locks, records = f"{parameters}/releases-lock/*", f"{parameters}/releases/*"
        assert by_action["ssm:PutParameter"] == [records, locks]
        assert by_action["ssm:DeleteParameter"] == [locks]
        lock = f"arn:aws:ssm:eu-central-1:{account_id}:parameter/oaktree/prod/releases-lock/web"
        assert fnmatchcase(lock, locks)
        assert any(fnmatchcase(lock, pattern) for pattern in by_action["ssm:GetParameter"])
        assert not fnmatchcase(lock.replace("releases-lock", "releases"), locks)


def test_the_deploy_role_lists_tasks_of_the_projects_clusters_only(stacks: dict[str, Stack]) -> None:
    (statement,) = (
        item for item in policies_of(stacks[HOME], "github_deploy") if "ecs:ListTasks" in item["Action"]
    )
    assert statement["Action"] == ["ecs:ListTasks"]
    clusters = "arn:aws:ecs:*:111111111111:cluster/oaktree-*"
    assert statement["Condition"] == {"ArnLike": {"ecs:cluster": clusters}}
    assert stacks["dev-service"].one("aws_ecs_cluster")["name"] == "oaktree-dev"


def test_the_push_role_pushes_to_the_projects_repositories_only(stacks: dict[str, Stack]) -> None:
    statements = policies_of(stacks[HOME], "github_push")
    assert {action.split(":")[0] for item in statements for action in item["Action"]} == {"ecr"}
    assert [item["Resource"] for item in statements if item["Sid"] == "Push"] == [
        ["arn:aws:ecr:eu-central-1:111111111111:repository/oaktree/*"]
    ]


def test_the_deploy_role_cannot_give_more_rights_than_the_boundary(stacks: dict[str, Stack]) -> None:
    statements = policies_of(stacks[HOME], "github_deploy")
    boundaries = [
        f"arn:aws:iam::111111111111:policy/oaktree-{what}-boundary" for what in ("chat", "job", "workload")
    ]
    for statement in statements:
        if statement["Effect"] == "Allow" and set(statement["Action"]) & {
            "iam:CreateRole",
            "iam:PutRolePolicy",
        }:
            assert statement["Condition"] == {"StringEquals": {"iam:PermissionsBoundary": boundaries}}
    allowed = {action for item in statements if item["Effect"] == "Allow" for action in item["Action"]}
    assert not allowed & {
        "iam:AttachRolePolicy",
        "iam:CreatePolicyVersion",
        "iam:DeleteRolePermissionsBoundary",
        "iam:CreateUser",
        "iam:CreateAccessKey",
    }


def test_the_deploy_role_cannot_change_or_pass_the_roles_of_github(stacks: dict[str, Stack]) -> None:
    for name, account_id in ((HOME, "111111111111"), (OTHER, "222222222222")):
        statements = policies_of(stacks[name], "github_deploy")
        (denied,) = (item for item in statements if item["Effect"] == "Deny")
        github = f"arn:aws:iam::{account_id}:role/oaktree-github-"
        assert denied["Resource"] == [f"{github}*"]
        assert "Condition" not in denied
        allowed = {
            action
            for item in statements
            for action in item["Action"]
            if item["Effect"] == "Allow" and any(fnmatchcase(f"{github}deploy", r) for r in item["Resource"])
        }
        refused = {action for action in allowed if any(fnmatchcase(action, d) for d in denied["Action"])}
        assert "iam:PassRole" in refused
        # A role that is there cannot be created.
        assert {action for action in allowed - refused if re.match("iam:(?!Get|List)", action)} == {
            "iam:CreateRole"
        }


def test_every_role_of_an_environment_is_bounded(stacks: dict[str, Stack]) -> None:
    for name, stack in stacks.items():
        if name.startswith("foundation"):
            continue
        for address, role in stack.all("aws_iam_role").items():
            assert role["permissions_boundary"].endswith(":policy/oaktree-workload-boundary"), address


def boundary_of(stack: Stack) -> list[dict[str, Any]]:
    statements: list[dict[str, Any]] = json.loads(stack.one("aws_iam_policy", "workload_boundary")["policy"])[
        "Statement"
    ]
    return statements


@pytest.mark.parametrize(("service", "foundation"), [("dev-service", HOME), ("prod-service", OTHER)])
def test_the_boundary_lets_workloads_do_what_their_own_policies_allow(
    stacks: dict[str, Stack], service: str, foundation: str
) -> None:
    network = service.replace("service", "network")
    bounded = {action for statement in boundary_of(stacks[foundation]) for action in statement["Action"]}
    for stack in (stacks[service], stacks[network]):
        for role in stack.all("aws_iam_role_policy").values():
            for statement in json.loads(role["policy"])["Statement"]:
                assert set(statement["Action"]) <= bounded


@pytest.mark.parametrize(("service", "foundation"), [("dev-service", HOME), ("prod-service", OTHER)])
def test_the_boundary_has_room_for_every_resource_that_the_app_may_act_on(
    stacks: dict[str, Stack], service: str, foundation: str
) -> None:
    stack = stacks[service]
    account_id = stack.content["provider"]["aws"][0]["allowed_account_ids"][0]
    of_terraform = {
        "${aws_cloudwatch_log_group.web_log.arn}:*": f"arn:aws:logs:eu-central-1:{account_id}:log-group:"
        f"{stack.one('aws_cloudwatch_log_group', 'web_log')['name']}:*",
    }
    policy = json.loads(stack.one("aws_iam_role_policy", "web_task_role_policy")["policy"])
    for statement in policy["Statement"]:
        (resource,) = statement["Resource"]
        for action in statement["Action"]:
            patterns = [
                pattern
                for bound in boundary_of(stacks[foundation])
                if action in bound["Action"]
                for pattern in bound["Resource"]
            ]
            assert any(fnmatchcase(of_terraform.get(resource, resource), pattern) for pattern in patterns)


def test_policies_keep_within_the_size_that_iam_allows(stacks: dict[str, Stack]) -> None:
    """6,144 characters without white space. Source: IAM User Guide, "IAM and AWS STS quotas"."""
    for stack in stacks.values():
        for name, policy in stack.all("aws_iam_policy").items():
            assert len(re.sub(r"\s", "", policy["policy"])) <= 6144, name


@pytest.mark.parametrize("protected", [True, False])
def test_only_an_unprotected_project_can_be_destroyed(synthesize: Synthesize, protected: bool) -> None:
    project = f"{PROJECT}protected = {str(protected).lower()}\n"
    stack = synthesize(project, dev=environment())[HOME]
    assert stack.one("aws_ecr_repository")["force_delete"] is not protected
    assert stack.one("aws_s3_bucket")["force_destroy"] is not protected
    for kind in ("aws_ecr_repository", "aws_s3_bucket"):
        assert stack.one(kind)["lifecycle"] == {"prevent_destroy": protected}


def may(statement: dict[str, Any], action: str, resource: str) -> bool:
    """Whether a statement is about an action on a resource, whatever its conditions say."""
    return any(fnmatchcase(action, pattern) for pattern in statement["Action"]) and any(
        fnmatchcase(resource, pattern) for pattern in statement["Resource"]
    )


def test_the_deploy_role_passes_and_creates_roles_for_the_projects_services_only(
    stacks: dict[str, Stack],
) -> None:
    statements = [item for item in policies_of(stacks[HOME], "github_deploy") if item["Effect"] == "Allow"]
    (passed,) = (item for item in statements if "iam:PassRole" in item["Action"])
    kinds = ("chatbot", "ecs-tasks", "events", "scheduler", "states", "vpc-flow-logs")
    services = [f"{kind}.amazonaws.com" for kind in kinds]
    assert passed["Condition"] == {"StringEquals": {"iam:PassedToService": services}}
    linked = {
        service
        for item in statements
        if "iam:CreateServiceLinkedRole" in item["Action"]
        for service in item["Condition"]["StringEquals"]["iam:AWSServiceName"]
    }
    assert {service.partition(".")[0] for service in linked} == {
        "ecs",
        "elasticache",
        "elasticfilesystem",
        "elasticloadbalancing",
        "management",
        "rds",
    }


@pytest.mark.parametrize("action", ["s3:DeleteObject", "s3:DeleteObjectVersion", "s3:PutBucketPolicy"])
@pytest.mark.parametrize("name", [HOME, OTHER])
def test_the_deploy_role_can_neither_delete_states_nor_open_their_bucket(
    stacks: dict[str, Stack], name: str, action: str
) -> None:
    bucket = f"arn:aws:s3:::{stacks[HOME].one('aws_s3_bucket')['bucket']}"
    for statement in policies_of(stacks[name], "github_deploy"):
        for resource in (bucket, f"{bucket}/dev-network.tfstate", f"{bucket}/prod-network.tfstate"):
            assert not may(statement, action, resource), statement["Sid"]


def test_tls_is_required_of_a_bucket_and_of_what_is_in_it(stacks: dict[str, Stack]) -> None:
    for stack in stacks.values():
        for name, bucket in stack.all("aws_s3_bucket").items():
            policy = json.loads(stack.one("aws_s3_bucket_policy", f"{name}_policy")["policy"])
            arn = f"arn:aws:s3:::{bucket['bucket']}"
            assert policy["Statement"][0]["Resource"] == [arn, f"{arn}/*"]
            assert policy["Statement"][0]["Action"] == ["s3:*"]
            ownership = stack.one("aws_s3_bucket_ownership_controls", f"{name}_ownership")
            assert ownership["rule"] == {"object_ownership": "BucketOwnerEnforced"}


def test_untagged_images_expire_after_as_many_days_as_the_settings_say(stacks: dict[str, Stack]) -> None:
    (rule,) = json.loads(stacks[HOME].one("aws_ecr_lifecycle_policy")["policy"])["rules"]
    assert (rule["selection"]["countNumber"], rule["selection"]["countUnit"]) == (14, "days")


def test_services_assume_roles_for_their_own_account_only(stacks: dict[str, Stack]) -> None:
    accounts = {
        name: stack.content["provider"]["aws"][0]["allowed_account_ids"] for name, stack in stacks.items()
    }
    found = 0
    for name, stack in stacks.items():
        for role in stack.all("aws_iam_role").values():
            (statement,) = json.loads(role["assume_role_policy"])["Statement"]
            if "Service" in statement["Principal"]:
                found += 1
                condition = {"StringEquals": {"aws:SourceAccount": accounts[name][0]}}
                assert statement["Condition"] == condition
    assert found


def test_the_boundaries_refer_to_no_other_resource_so_that_they_can_be_compared_with_what_is_applied(
    stacks: dict[str, Stack],
) -> None:
    for foundation in (HOME, OTHER):
        for boundary in ("workload_boundary", "job_boundary"):
            assert "${" not in stacks[foundation].one("aws_iam_policy", boundary)["policy"]


def test_the_boundary_lets_nobody_write_secrets_or_take_on_roles(stacks: dict[str, Stack]) -> None:
    allowed = {action for statement in boundary_of(stacks[HOME]) for action in statement["Action"]}
    of_secrets = {action for action in allowed if action.startswith(("secretsmanager:", "ssm:"))}
    assert of_secrets == {"secretsmanager:GetSecretValue", "ssm:GetParameters"}
    assert not any(action.startswith(("iam:", "sts:Assume")) for action in allowed)
