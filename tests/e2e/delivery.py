"""Three environments in two accounts, production behind a domain and protected, and what stories ask of them.

dev has the shop, too, whose database, queue and bucket are there already: Terraform finds them.
They are brought up once in a test run, from two empty accounts by `make bootstrap`. What that said is kept
beside them, for `test_bootstrap.py` to look at; other stories begin with a copy.
"""

import hashlib
import json
import re
import subprocess
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ops.core.checkout import SOURCE
from ops.local.up import stop_all
from tests.actions.workflows import Event, Played
from tests.e2e import calls
from tests.e2e.clone import Clone, clone
from tests.e2e.desk import REGION, succeeded
from tests.e2e.inventory import inventory
from tests.ops.docker_stand_in import docker_stand_in
from tests.review.fake_github import REPOSITORY
from tests.webapp.waiting import soon

HOME, PROD = "111111111111", "222222222222"
ACCOUNTS = {"dev": HOME, "staging": HOME, "prod": PROD}
KINDS = ("network", "data", "service")
STACKS = ("foundation", f"foundation-{PROD}", *(f"{env}-{kind}" for env in ACCOUNTS for kind in KINDS))
BUCKET = f"oaktree-state-{HOME}-{REGION}"
MAIN = f"repo:{REPOSITORY}:ref:refs/heads/main"
IDENTITY = "example@1001/oaktree@2002"
"""The repository with the ids of the settings: so jobs in environments have immutable subjects here."""

PLAN, PUSH, DEPLOY = (f"oaktree-github-{duty}" for duty in ("plan", "push", "deploy"))

RECORD = "/oaktree/dev/releases/web"
EXISTING = ("databases.shop", "queues.orders", "buckets.uploads")
AT_WORK = "Another `make up` or `make down` is at work here"


@dataclass
class Bootstrapped:
    """What was `said` while the environments were brought up: by command, its status and both streams.

    `empty` is what the accounts had before anything was created in them, `apps` what the apps said,
    `staging` between which counts of requests that was made.
    """

    said: dict[str, tuple[int, str, str]] = field(default_factory=dict)
    empty: dict[str, list[str]] = field(default_factory=dict)
    apps: dict[str, Any] = field(default_factory=dict)
    staging: tuple[int, int] = (0, 0)


def bootstrapped(directory: Path) -> Bootstrapped:
    """What was kept beside the environments in a directory that `bring_up` filled."""
    return Bootstrapped(**json.loads((directory / "bootstrapped.json").read_text()))


def shop() -> str:
    """The settings of the shop's services, with a load balancer of its own, beside a status app named web."""
    text = (SOURCE / "examples/shop/environments/project.toml").read_text()
    found = re.search(r"^\[services\.web\].*(?=^# OakTree's own app)", text, re.DOTALL | re.MULTILINE)
    assert found
    renamed = found[0].replace("services.web", "services.shop").replace('= "web"', '= "shop"')
    renamed = renamed.replace('version = "17"\n', "")
    for store in EXISTING:
        assert f"[{store}]\n" in renamed
        renamed = renamed.replace(f"[{store}]\n", f"[{store}]\nexisting = true\n")
    return "\n" + renamed.replace("[services.shop]\n", '[services.shop]\nload_balancer = "own"\n')


def bring_up(directory: Path) -> None:
    """Bring up the environments in a clone, `directory`/clone; its embedded AWS is stopped in the end."""
    (directory / "docker").mkdir(parents=True)
    desk = clone(directory / "clone", docker_stand_in(directory / "docker"))
    project = desk.directory / "environments/project.toml"
    project.write_text("protected = false\n" + project.read_text())
    dev = desk.directory / "environments/dev.toml"
    dev.write_text(dev.read_text() + shop())
    # Minutes of baking are seconds here; what a bake sees has tests of its own.
    for env, minutes in (("staging", "5"), ("prod", "15")):
        desk.edit(f"environments/{env}.toml", f"bake_minutes = {minutes}", "bake_minutes = 0.05")
    desk.commit("For the story")
    desk.start_aws(HOME)
    try:
        kept = _bring_up(desk)
        (directory / "bootstrapped.json").write_text(json.dumps(asdict(kept)))
    finally:
        stop_all(desk.memory)


def _bring_up(desk: Clone) -> Bootstrapped:
    """Bring up all at once, since each mostly waits for AWS: the others as soon as dev has its release."""
    kept = Bootstrapped()

    def note(name: str, done: subprocess.CompletedProcess[str]) -> bool:
        kept.said[name] = done.returncode, done.stdout, done.stderr
        return succeeded(done)

    def refused(name: str, env: str) -> None:
        note(name, desk.make(ACCOUNTS[env], "bootstrap", f"ENV={env}", "YES=1"))

    def begin(env: str, *arguments: str, typed: str = "") -> "Future[bool]":
        asked = ("bootstrap", f"ENV={env}", *arguments)
        lock = desk.memory / "locks" / foundation_of(env)

        def run() -> bool:
            done = desk.make(ACCOUNTS[env], *asked, typed=typed)
            # Of two commands that start their apps in the same moment one is refused; run again, it goes on.
            while AT_WORK in done.stderr:
                done = desk.make(ACCOUNTS[env], *asked, typed=typed)
            return note(env, done)

        begun = pool.submit(run)
        # Only one command at a time may synthesize, which this one has done when it is at its foundation.
        soon(lambda: begun.done() or (lock.exists() and lock.read_text()), bool, seconds=300)
        return begun

    kept.empty = {account: sorted(inventory(desk.embedded, account, REGION)) for account in (HOME, PROD)}
    note("unasked", desk.make(HOME, "bootstrap", "ENV=dev"))
    client(desk, "sqs", "dev").create_queue(QueueName="oaktree-dev-orders")
    here = {"LocationConstraint": REGION}
    s3 = client(desk, "s3", "dev")
    s3.create_bucket(Bucket=f"oaktree-dev-uploads-{HOME}", CreateBucketConfiguration=here)
    with ThreadPoolExecutor() as pool:
        dev = begin("dev", typed="dev\n")
        database = pool.submit(_put_database, desk, dev)
        ssm = client(desk, "ssm", "dev")
        soon(lambda: dev.done() or ssm.get_parameters(Names=[RECORD])["Parameters"], bool, seconds=600)

        refused("staging without its secret", "staging")
        named = re.search(
            r"--name (/oaktree/staging/\S+) --value", kept.said["staging without its secret"][2]
        )
        assert named, kept.said
        secret = {"Name": named[1], "Value": "a" * 64, "Type": "SecureString"}
        client(desk, "ssm", "staging").put_parameter(**secret)
        secrets, route53 = client(desk, "secretsmanager", "prod"), client(desk, "route53", "prod")
        token = hashlib.sha256(b"a-token").hexdigest()
        secrets.create_secret(Name="oaktree/prod/web/write-token-sha256", SecretString=token)
        route53.create_hosted_zone(Name="example.com", CallerReference="first")
        refused("prod without an image", "prod")

        start, first = calls.count(desk.memory), record(desk, "dev")
        staging = begin("staging", "YES=1")
        prod = begin("prod", f"IMAGE={first['image']}", f"COMMIT={first['commit']}", "YES=1")
        assert [each.result() for each in (dev, staging, prod)] == [True, True, True]
        database.result()
    kept.staging = start, calls.count(desk.memory)
    note("dev smoke", desk.make(HOME, "smoke", "ENV=dev", "SERVICE=web"))
    kept.apps = {env: desk.app_says(env) for env in ACCOUNTS}
    kept.apps["prod"] = desk.app_tells_operators("prod", "a-token")
    return kept


def _put_database(desk: Clone, dev: "Future[bool]") -> None:
    """Create the database of the shop as soon as the network of dev has subnets for it.

    Terraform asks for it seconds later, after all the rest of the network.
    """
    rds, ec2 = client(desk, "rds", "dev"), client(desk, "ec2", "dev")

    def subnets() -> list[Any]:
        found: list[Any] = rds.describe_db_subnet_groups()["DBSubnetGroups"]
        return found

    soon(lambda: dev.done() or subnets(), bool, seconds=600)
    (place,) = subnets()
    # By its tag, the deploy role may let services in.
    own = {"ResourceType": "security-group", "Tags": [{"Key": "project", "Value": "oaktree"}]}
    group = ec2.create_security_group(
        GroupName="oaktree-dev-shop",
        Description="The database of the shop",
        VpcId=place["VpcId"],
        TagSpecifications=[own],
    )
    rds.create_db_instance(
        DBInstanceIdentifier="oaktree-dev-shop",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        EngineVersion="17",
        AllocatedStorage=20,
        DBName="shop",
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
        DBSubnetGroupName=place["DBSubnetGroupName"],
        VpcSecurityGroupIds=[group["GroupId"]],
    )


def foundation_of(env: str) -> str:
    """The foundation of an environment's account."""
    return "foundation" if ACCOUNTS[env] == HOME else f"foundation-{ACCOUNTS[env]}"


def client(desk: Clone, service: str, env: str) -> Any:
    """A client for an environment's account."""
    return desk.embedded.client(service, REGION, ACCOUNTS[env])


def record(desk: Clone, env: str, image: str = "web") -> dict[str, Any]:
    """The release record of an image in an environment, with its version."""
    found = client(desk, "ssm", env).get_parameter(Name=f"/oaktree/{env}/releases/{image}")["Parameter"]
    content: dict[str, Any] = json.loads(found["Value"])
    return content | {"version": found["Version"]}


def well(played: Mapping[str, Played]) -> bool:
    """Whether no job of a run failed; prints what was said by those that did."""
    for name, job in played.items():
        if job.result == "failure":
            print(f"{name}:\n{job.said[-4000:]}")
    return all(job.result != "failure" for job in played.values())


def pushed_to_main(commit: str) -> Event:
    """What a push to main sets off."""
    return Event("push", MAIN, commit, {"ref": "refs/heads/main"})
