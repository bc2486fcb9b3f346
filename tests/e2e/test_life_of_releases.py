"""From an empty account to production and back, by make targets and by the workflows as they are written.

The tests are one story, in the order they stand here: three environments in two accounts are brought up,
production behind a domain and protected; two releases go through them, one is rolled back, one fails and is
undone, two come at once; a network is changed by a pull request; somebody changes things by hand; all of it
is destroyed.
"""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.actions.workflows import Event, Played, Runner
from tests.e2e import calls
from tests.e2e.clone import Clone, clone
from tests.e2e.desk import REGION, Desk, succeeded
from tests.e2e.inventory import inventory
from tests.e2e.roles import Role, assumed_role, read_role
from tests.ops.docker_stand_in import docker_stand_in
from tests.ops.ecs_stub import Frame, playing
from tests.ops.fake_app import fake_app
from tests.ops.github_tokens import serving_tokens
from tests.review.fake_github import REPOSITORY, TOKEN, FakeGitHub, running_github
from tests.webapp.proxy import proxy
from webapp import contract

pytestmark = pytest.mark.e2e

HOME, PROD = "111111111111", "222222222222"
ACCOUNTS = {"dev": HOME, "staging": HOME, "prod": PROD}
KINDS = ("network", "service")
BUCKET = f"oaktree-state-{HOME}-{REGION}"
PULL_REQUEST = 7
MAIN = f"repo:{REPOSITORY}:ref:refs/heads/main"

COMMITS: dict[str, str] = {}
"""The commits of the story's releases by their names, as they are made."""

IMAGES: dict[str, str] = {}
"""Their images, by digest."""

NOTED: dict[str, tuple[int, int]] = {}
"""Between which counts of requests something was done."""


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clone]:
    """A clone with an embedded AWS that has nothing yet; the project is not protected, production is."""
    made = clone(tmp_path_factory.mktemp("clone"), docker_stand_in(tmp_path_factory.mktemp("docker")))
    project = made.directory / "environments/project.toml"
    project.write_text(project.read_text() + "protected = false\n")
    # Minutes of baking are seconds here; what a bake sees has tests of its own.
    for minutes in ("5", "15"):
        made.edit(".github/workflows/release.yml", f'bake: "{minutes}"', 'bake: "0.05"')
    COMMITS["first"] = made.commit("For the story")
    made.start_aws(HOME)
    yield made
    made.make(HOME, "down")


@pytest.fixture(scope="module")
def before(desk: Clone) -> dict[str, frozenset[str]]:
    """What the accounts have before anything is created in them."""
    return {account: inventory(desk.embedded, account, REGION) for account in (HOME, PROD)}


@pytest.fixture(scope="module")
def github() -> Iterator[FakeGitHub]:
    with running_github() as running:
        yield running


@pytest.fixture(scope="module")
def runner(desk: Clone, github: FakeGitHub, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runner]:
    """GitHub's runner on this machine: it has no key of AWS."""
    with serving_tokens() as tokens:
        yield Runner(
            checkout=desk.directory,
            scratch=tmp_path_factory.mktemp("runner"),
            repository=REPOSITORY,
            tokens=tokens,
            github_token=TOKEN,
            variables={
                **desk.variables,
                "GITHUB_API_URL": github.url,
                "AWS_ENDPOINT_URL": desk.embedded.endpoint,
                "AWS_EC2_METADATA_DISABLED": "true",
            },
            configured={"DELIVERY": "on"},
        )


def client(desk: Clone, service: str, env: str) -> Any:
    return desk.embedded.client(service, REGION, ACCOUNTS[env])


def record(desk: Clone, env: str) -> dict[str, Any]:
    """The release record of an environment, with its version."""
    found = client(desk, "ssm", env).get_parameter(Name=f"/oaktree/{env}/releases/web")["Parameter"]
    content: dict[str, Any] = json.loads(found["Value"])
    return content | {"version": found["Version"]}


def runs(desk: Clone, env: str, name: str) -> bool:
    """Whether an environment runs a release: by its record, its task definition and what its app says."""
    image, commit = IMAGES[name], COMMITS[name]
    ecs = client(desk, "ecs", env)
    (service,) = ecs.describe_services(cluster=f"oaktree-{env}", services=[f"oaktree-{env}-web"])["services"]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    said = desk.app_says(env)["release"]
    recorded = record(desk, env)
    found = {
        (recorded["image"], recorded["commit"]),
        (task["containerDefinitions"][0]["image"], commit),
        (f"{image.partition('@')[0]}@{said['digest']}", said["commit"]),
    }
    assert found == {(image, commit)}, found
    return True


def results(played: dict[str, Played]) -> dict[str, str]:
    return {name: job.result for name, job in played.items()}


def well(played: dict[str, Played]) -> bool:
    """Whether no job of a run failed; prints what was said by those that did."""
    for name, job in played.items():
        if job.result == "failure":
            print(f"{name}:\n{job.said[-4000:]}")
    return all(job.result != "failure" for job in played.values())


def pushed_to_main(commit: str) -> Event:
    return Event("push", MAIN, commit, {"ref": "refs/heads/main"})


def publish(desk: Clone, name: str, commit: str) -> str:
    """Push the image of a commit; returns it by digest."""
    done = desk.make(HOME, "-s", "image-publish", f"COMMIT={commit}")
    assert succeeded(done)
    COMMITS[name], IMAGES[name] = commit, done.stdout.strip()
    return IMAGES[name]


@contextmanager
def noted(desk: Clone, name: str) -> Iterator[None]:
    """Remember which requests are made meanwhile."""
    first = calls.count(desk.memory)
    yield
    NOTED[name] = first, calls.count(desk.memory)


@pytest.mark.usefixtures("before")
def test_dev_is_bootstrapped_from_an_empty_account(desk: Clone) -> None:
    unasked = desk.make(HOME, "bootstrap", "ENV=dev")
    assert unasked.returncode == 2
    assert "Nobody answered; nothing was done." in unasked.stderr
    assert "  to do  foundation: apply, then move its state to the bucket\n" in unasked.stdout
    done = desk.make(HOME, "bootstrap", "ENV=dev", typed="dev\n")
    assert succeeded(done)
    keys = client(desk, "s3", "dev").list_objects_v2(Bucket=BUCKET)["Contents"]
    states = ["dev-network.tfstate", "dev-service.tfstate", "foundation.tfstate"]
    assert [item["Key"] for item in keys] == states
    assert (record(desk, "dev")["version"], record(desk, "dev")["why"]) == (1, "first release")
    assert succeeded(desk.make(HOME, "smoke", "ENV=dev"))


def test_staging_is_bootstrapped_once_its_secret_is_there(desk: Clone) -> None:
    lacking = desk.make(HOME, "bootstrap", "ENV=staging", "YES=1")
    assert lacking.returncode == 2
    named = re.search(r"--name (/oaktree/staging/web/write-token-sha256) --value", lacking.stderr)
    assert named, lacking.stderr
    secret = {"Name": named[1], "Value": "a" * 64, "Type": "SecureString"}
    client(desk, "ssm", "staging").put_parameter(**secret)
    with noted(desk, "staging is made"):
        assert succeeded(desk.make(HOME, "bootstrap", "ENV=staging", "YES=1"))
    assert desk.app_says("staging")["environment"] == "staging"


def test_prod_is_bootstrapped_in_its_own_account_with_an_image_of_the_projects(desk: Clone) -> None:
    secrets, route53 = client(desk, "secretsmanager", "prod"), client(desk, "route53", "prod")
    secrets.create_secret(
        Name="oaktree/prod/web/write-token-sha256", SecretString=hashlib.sha256(b"a token").hexdigest()
    )
    route53.create_hosted_zone(Name="example.com", CallerReference="first")
    wanting = desk.make(PROD, "bootstrap", "ENV=prod", "YES=1")
    assert "IMAGE is missing: prod is in another account than the registry" in wanting.stderr
    first = record(desk, "dev")
    done = desk.make(
        PROD, "bootstrap", "ENV=prod", f"IMAGE={first['image']}", f"COMMIT={first['commit']}", "YES=1"
    )
    assert succeeded(done)
    assert record(desk, "prod")["image"] == first["image"]
    assert desk.app_says("prod")["writing"] == "on"


def test_no_state_holds_the_value_of_a_secret(desk: Clone) -> None:
    secrets = client(desk, "secretsmanager", "prod")
    secret = secrets.get_secret_value(SecretId="oaktree/prod/web/write-token-sha256")["SecretString"]
    s3 = client(desk, "s3", "dev")
    listed = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert {f"{env}-{kind}.tfstate" for env in ACCOUNTS for kind in KINDS} < {item["Key"] for item in listed}
    for item in listed:
        assert secret.encode() not in s3.get_object(Bucket=BUCKET, Key=item["Key"])["Body"].read()


def test_https_is_served_with_the_domains_certificate_and_http_redirects(desk: Clone) -> None:
    elb = client(desk, "elbv2", "prod")
    (balancer,) = elb.describe_load_balancers()["LoadBalancers"]
    listeners = {
        item["Port"]: item
        for item in elb.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    }
    assert listeners[80]["DefaultActions"][0]["RedirectConfig"]["StatusCode"] == "HTTP_301"
    arn = listeners[443]["Certificates"][0]["CertificateArn"]
    certificate = client(desk, "acm", "prod").describe_certificate(CertificateArn=arn)["Certificate"]
    assert certificate["DomainName"] == "status.example.com"


def test_the_first_release_goes_to_dev(desk: Clone) -> None:
    image = publish(desk, "first", COMMITS["first"])
    done = desk.make(HOME, "deploy", "ENV=dev", f"IMAGE={image}")
    assert succeeded(done)
    assert f"dev: web runs {COMMITS['first'][:12]} (" in done.stdout
    assert runs(desk, "dev", "first")


def test_it_is_promoted_to_staging(desk: Clone) -> None:
    assert succeeded(desk.make(HOME, "promote", "FROM=dev", "TO=staging"))
    assert record(desk, "staging")["why"] == f"promoted from dev version {record(desk, 'dev')['version']}"
    assert succeeded(desk.make(HOME, "deploy", "ENV=staging"))
    assert runs(desk, "staging", "first")


def test_it_is_promoted_to_prod_with_the_credentials_of_both_accounts(desk: Clone) -> None:
    done = desk.make(HOME, "promote", "FROM=staging", "TO=prod")
    told = re.search(r"^make (release ENV=prod .*)$", done.stderr, re.MULTILINE)
    assert told, done.stderr
    assert succeeded(desk.make(PROD, *told[1].split()))
    assert succeeded(desk.make(PROD, "deploy", "ENV=prod"))
    assert runs(desk, "prod", "first")


def test_a_second_release_goes_from_main_through_all_environments(desk: Clone, runner: Runner) -> None:
    COMMITS["second"] = desk.commit("The second release")
    played = runner.play("release.yml", pushed_to_main(COMMITS["second"]), done=["ci"])
    assert well(played)
    assert results(played) == dict.fromkeys(
        ("ci", "publish", "dev", "dev/deploy", "staging", "staging/deploy", "prod", "prod/deploy"), "success"
    )
    assert runner.asked_for == ["dev", "staging", "prod"]
    IMAGES["second"] = played["publish"].outputs["image"]
    assert played["publish"].outputs["commit"] == COMMITS["second"]
    for env in ACCOUNTS:
        assert runs(desk, env, "second")
        assert record(desk, env)["by"] == "a-maintainer (GitHub)"
    assert "no new alarm among" in played["prod/deploy"].said


def test_prod_is_rolled_back_to_the_first(desk: Clone) -> None:
    assert succeeded(desk.make(PROD, "rollback", "ENV=prod"))
    assert succeeded(desk.make(PROD, "deploy", "ENV=prod"))
    assert runs(desk, "prod", "first")
    done = desk.make(PROD, "releases", "ENV=prod")
    listed = re.findall(r"^[* ] +\d+ +\S+ +([0-9a-f]{12}) ", done.stdout, re.MULTILINE)
    assert listed[:3] == [COMMITS[name][:12] for name in ("first", "second", "first")]
    status = json.loads(desk.make(PROD, "-s", "status", "ENV=prod", "JSON=1").stdout)
    assert [each["is_deployed"] for each in status["services"]] == [True]


STARTING = Frame(pending=2, event="(service oaktree-staging-web) has started 2 tasks.")
STEADY = Frame(
    state="COMPLETED", running=2, old=0, event="(service oaktree-staging-web) has reached a steady state."
)


def test_a_release_whose_smoke_test_fails_is_undone(desk: Clone) -> None:
    """ECS's states are played by a stub, so that the rollout is seen; what answers is not ready."""
    image = publish(desk, "bad", desk.commit("A bad release"))
    with playing(desk.embedded.endpoint) as stub, fake_app() as balancer:
        balancer.answers = {contract.HEALTH_PATH: (200, b"{}"), contract.READY_PATH: (503, b"{}")}
        stub.rollouts.extend([(STARTING, Frame(running=1, pending=1), STEADY), (STARTING, STEADY)])
        done = desk.make(
            HOME,
            "deploy",
            "ENV=staging",
            f"IMAGE={image}",
            f"ADDRESS={balancer.address}",
            "TIMEOUT=0.2",
            AWS_ENDPOINT_URL=stub.endpoint,
        )
    assert done.returncode == 2
    assert "    new tasks: 1 of 2 running, 1 starting; old tasks: 2 running\n" in done.stdout
    assert "(service oaktree-staging-web) has reached a steady state.\n" in done.stdout
    assert "staging: the release failed and was undone: web runs " in done.stderr
    assert f"{balancer.address}/readyz answers 503" in done.stderr
    assert runs(desk, "staging", "second")
    assert record(desk, "staging")["why"].startswith("undoes version ")


def test_of_two_releases_at_once_one_wins_and_the_other_is_told(desk: Clone) -> None:
    one, other = (publish(desk, name, desk.commit(name)) for name in ("one", "other"))
    version = record(desk, "dev")["version"]
    with proxy(desk.embedded.endpoint) as between:
        # Both have read the record before either writes it.
        between.meetings["DescribeImages"] = threading.Barrier(2)
        begun = [
            desk.begin(
                HOME,
                "release",
                "ENV=dev",
                f"IMAGE={image}",
                f"COMMIT={COMMITS[name]}",
                AWS_ENDPOINT_URL=between.url,
            )
            for name, image in (("one", one), ("other", other))
        ]
        said = [process.communicate(timeout=120) for process in begun]
    codes = [process.returncode for process in begun]
    assert sorted(codes) == [0, 2], said
    winner, loser = ("one", "other") if codes[0] == 0 else ("other", "one")
    told = said[0 if loser == "one" else 1][1]
    assert re.search(
        r"Somebody recorded|recorded .* meanwhile|has been recording a release of web in dev", told
    )
    assert (record(desk, "dev")["version"], record(desk, "dev")["commit"]) == (version + 1, COMMITS[winner])
    assert succeeded(desk.make(HOME, "deploy", "ENV=dev"))
    assert runs(desk, "dev", winner)


def of_pull_request(head: str, repository: str) -> Event:
    payload = {
        "pull_request": {"number": PULL_REQUEST, "head": {"sha": head, "repo": {"full_name": repository}}}
    }
    return Event("pull_request", f"repo:{REPOSITORY}:pull_request", head, payload)


LOCAL_JOBS = ("check", "test", "synth", "image")
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
    for stack in (
        "foundation",
        f"foundation-{PROD}",
        *(f"{env}-{kind}" for env in ACCOUNTS for kind in KINDS),
    ):
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
        "foundation/apply": "skipped",
        "foundation-prod/apply": "skipped",
        "dev/apply": "success",
        "staging/apply": "skipped",
        "prod/apply": "skipped",
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
    played = runner.play("drift.yml", Event("schedule", MAIN, COMMITS["second"]))
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


GITHUB_ROLES = {
    (HOME, "oaktree-github-plan"),
    (HOME, "oaktree-github-push"),
    (HOME, "oaktree-github-deploy"),
    (PROD, "oaktree-github-plan"),
    (PROD, "oaktree-github-deploy"),
}


def test_each_job_was_one_that_its_role_admits(desk: Clone) -> None:
    """The embedded AWS takes any token for any time; on AWS, the role is asked."""
    assumed = set()
    for arn, token, seconds in calls.assumed_by_token(desk.memory):
        role = read_role(desk.embedded.client("iam", REGION, arn.split(":")[4]), arn.rpartition("/")[2])
        subject = json.loads(base64.urlsafe_b64decode(token.split(".")[1]))["sub"]
        assert subject in role.subjects, (role.name, subject)
        assert seconds <= role.longest, role.name
        assumed.add((arn.split(":")[4], role.name))
    assert assumed == GITHUB_ROLES


def test_what_jobs_and_apps_did_is_what_their_roles_allow(desk: Clone) -> None:
    """The embedded AWS allows everything; on AWS, the policies are asked."""
    who = {
        key: assumed_role(desk.embedded, REGION, key)
        for key in calls.keys(desk.memory)
        if not key.startswith("AKIA")
    }
    roles = {
        (account, name): read_role(desk.embedded.client("iam", REGION, account), name)
        for account, name in set(who.values())
    }
    done = [
        (who[call.key], call)
        for call in calls.calls(desk.memory, {key: account for key, (account, _) in who.items()})
        if call.key in who
    ]
    denied = {(*role, call.action, call.resources) for role, call in done if not roles[role].allows(call)}
    assert denied == set()
    acted = {role for role, _ in done}
    assert acted == GITHUB_ROLES | {(account, f"oaktree-{env}-web-task") for env, account in ACCOUNTS.items()}
    # That nothing was denied says something: what one role did is not another one's to do.
    deployed = [call for role, call in done if role == (HOME, "oaktree-github-deploy")]
    assert {"ecs:UpdateService", "ssm:PutParameter", "s3:PutObject"} <= {call.action for call in deployed}
    beyond = {call.action for call in deployed if not roles[HOME, "oaktree-github-plan"].allows(call)}
    assert {"ecs:UpdateService", "ecs:RegisterTaskDefinition", "ssm:PutParameter"} <= beyond


FOUNDATION_STATE = f"arn:aws:s3:::{BUCKET}/foundation.tfstate"
"""Bootstrap applies the foundation again, which is no deployment's."""

OF_THE_DESK = {
    "ecr:BatchGetImage",
    "ecr:PutImage",
    "ssm:GetParameter",
    "sts:AssumeRole",
}
"""Done beside Terraform on an embedded AWS: an image is put, an app is given its secret and its keys."""


def beyond_the_deploy_role(desk: Clone, role: Role, name: str) -> set[str]:
    """Actions of an administrator, while something was noted, that the role would not have been allowed."""
    first, last = NOTED[name]
    found = calls.calls(desk.memory, {}, first, last)
    made = [call for call in found if call.key == f"AKIA{HOME}"]
    assert len(made) > 50
    return {call.action for call in made if not role.allows(call) and FOUNDATION_STATE not in call.resources}


def test_the_deploy_role_could_have_made_an_environment(desk: Clone) -> None:
    role = read_role(desk.embedded.client("iam", REGION, HOME), "oaktree-github-deploy")
    assert beyond_the_deploy_role(desk, role, "staging is made") <= OF_THE_DESK


def test_a_protected_environment_refuses_to_be_destroyed(desk: Clone) -> None:
    done = desk.make(PROD, "destroy", "ENV=prod", "STACK=service", typed="prod\n")
    assert done.returncode == 2
    assert "prod-service is protected" in done.stderr
    by_hand = Desk(desk.directory).terraform("prod-service", PROD, "plan", "-destroy", "-lock=false")
    assert by_hand.returncode == 1
    assert "prevent_destroy" in by_hand.stderr


def test_unprotected_everything_is_destroyed_and_nothing_is_left(
    desk: Clone, before: dict[str, frozenset[str]]
) -> None:
    desk.edit("environments/prod.toml", "protected   = true", "protected   = false")
    desk.edit("environments/prod.toml", "deletion_protection = true", "deletion_protection = false")
    for command in ("plan", "apply"):
        assert succeeded(desk.make(PROD, command, "ENV=prod", "STACK=service"))
    role = read_role(desk.embedded.client("iam", REGION, HOME), "oaktree-github-deploy")
    for env, account in reversed(ACCOUNTS.items()):
        with noted(desk, f"{env} is destroyed"):
            for kind in reversed(KINDS):
                done = desk.make(account, "destroy", f"ENV={env}", f"STACK={kind}", typed=f"{env}\n")
                assert succeeded(done)
    # Former revisions are deregistered by `make destroy` itself, which no workflow runs.
    assert beyond_the_deploy_role(desk, role, "staging is destroyed") <= {"ecs:ListTaskDefinitions"}
    assert succeeded(desk.make(PROD, "destroy", "ENV=prod", "STACK=foundation", typed="oaktree\n"))
    assert succeeded(desk.make(HOME, "destroy", "STACK=foundation", typed="oaktree\n"))
    for account in (HOME, PROD):
        assert inventory(desk.embedded, account, REGION) - before[account] == frozenset()
