"""`deploy` and `smoke`, as commands, with the real Terraform; ECS's rollouts are played by a stub.

The tests are one life of the small stacks, in the order they stand here.
"""

import hashlib
import json
import re
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from ops.core.git import git
from ops.local.embedded import Embedded
from tests.commands import Command
from tests.ops.conftest import ACCOUNT, REGION, Desk, put_secret_of_dev
from tests.ops.ecs_stub import ENDLESS, FAILURE, SUCCESS, EcsStub, playing
from tests.ops.fake_app import FakeApp, fake_app
from tests.ops.test_ancestry import commit
from webapp.contract import fingerprint

pytestmark = pytest.mark.e2e

REPOSITORY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web"
COMMITS = {number: f"{number}abcdef" for number in range(1, 10)}
MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
GROUP = "/oaktree/dev/web"
OTHER = "sha256:" + "f" * 64


@pytest.fixture(scope="module")
def stub(embedded: Embedded) -> Iterator[EcsStub]:
    with playing(embedded.endpoint) as found:
        yield found


@pytest.fixture(scope="module")
def app() -> Iterator[FakeApp]:
    with fake_app() as found:
        yield found


@pytest.fixture(scope="module")
def here(releasing: Desk, embedded: Embedded, stub: EcsStub) -> Desk:
    """The desk, with credentials of the account behind the stub, and the stacks below the service."""
    variables = embedded.environment(ACCOUNT, REGION, releasing.environment)
    found = replace(releasing, environment=variables | {"AWS_ENDPOINT_URL": stub.endpoint})
    for arguments in (("--stack", "foundation"), ("--env", "dev", "--stack", "network")):
        for command in ("plan", "apply"):
            done = found.run(command, *arguments)
            assert done.returncode == 0, done.stderr
    put_secret_of_dev(embedded)
    return found


def pushed(embedded: Embedded, number: int) -> str:
    """An image in the registry, by digest."""
    ecr = embedded.client("ecr", REGION)
    layer = {"digest": f"sha256:{hashlib.sha256(str(number).encode()).hexdigest()}"}
    with suppress(ecr.exceptions.ImageAlreadyExistsException):
        ecr.put_image(
            repositoryName="oaktree/web",
            imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": [layer]}),
            imageManifestMediaType=MANIFEST_TYPE,
            imageTag=COMMITS[number],
        )
    tagged = {"repositoryName": "oaktree/web", "imageIds": [{"imageTag": COMMITS[number]}]}
    return f"{REPOSITORY}@{ecr.describe_images(**tagged)['imageDetails'][0]['imageDigest']}"


def ordered(embedded: Embedded, app: FakeApp, number: int, *more: str) -> tuple[str, ...]:
    """The arguments that deploy an image, which the fake app then answers as."""
    image = pushed(embedded, number)
    app.be(image.partition("@")[2], COMMITS[number])
    return ("deploy", "--env", "dev", "--image", image, "--address", app.address, *more)


def recorded(embedded: Embedded) -> tuple[int, dict[str, Any]]:
    found = embedded.client("ssm", REGION).get_parameter(Name="/oaktree/dev/releases/web")["Parameter"]
    return found["Version"], json.loads(found["Value"])


def running(embedded: Embedded) -> str:
    """The commit of the task definition that the service was given last."""
    ecs = embedded.client("ecs", REGION)
    service = ecs.describe_services(cluster="oaktree-dev", services=["oaktree-dev-web"])["services"][0]
    definition = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    (container,) = definition["containerDefinitions"]
    return str(next(item["value"] for item in container["environment"] if item["name"] == "COMMIT"))


def read_until(process: Command, words: str) -> str:
    """What a command has said when it says certain words."""
    said = ""
    for line in process.stdout:
        said += line
        if words in line:
            return said
    raise AssertionError((said, process.communicate()))


def phases(output: str) -> list[str]:
    """The phases that ended, each with its mark."""
    return [
        f"{mark} {name.strip()}"
        for mark, name in re.findall(r"^([+x-]) (\S.{20}) +\d+ s", output, re.MULTILINE)
    ]


DONE = ["+ plan dev-service", "+ apply dev-service", "+ rollout web", "+ smoke test web"]


def test_a_first_release_that_fails_stays(here: Desk, embedded: Embedded, app: FakeApp) -> None:
    arguments = ordered(embedded, app, 1, "--timeout", "0.01")
    app.be(OTHER, "0000000")
    done = here.run(*arguments)
    assert done.returncode == 1
    assert "    web: 1abcdef (sha256:" in done.stdout
    assert "), its first release\n" in done.stdout
    assert done.stderr.startswith(
        "dev: the release failed. web ran nothing before that worked, so this release stays in force. Fix "
        "what is wrong and deploy again. `make destroy ENV=dev STACK=service` removes it all.\n"
    )
    assert f"{app.address}/api/status reports another release than 1abcdef (sha256:" in done.stderr
    assert f"its fingerprint is {fingerprint(OTHER, '0000000')}, not " in done.stderr
    version, record = recorded(embedded)
    assert (version, record["state"], running(embedded)) == (2, "failed", COMMITS[1])


def test_deploying_the_same_again_changes_nothing_and_tests(
    here: Desk, embedded: Embedded, app: FakeApp
) -> None:
    done = here.run(*ordered(embedded, app, 1))
    assert (done.returncode, done.stderr) == (0, "")
    assert phases(done.stdout) == ["+ record web", *DONE]
    assert ", unchanged\n" in done.stdout
    assert "nothing to change" in done.stdout
    assert re.search(
        r"^dev: web runs 1abcdef \(sha256:\w{12}\), as before\. It took ", done.stdout, re.MULTILINE
    )
    version, record = recorded(embedded)
    assert (version, record["state"]) == (3, "in service")


def test_a_same_release_that_fails_its_test_is_not_undone(here: Desk, app: FakeApp) -> None:
    app.be(OTHER, "0000000")
    done = here.run("deploy", "--env", "dev", "--address", app.address, "--timeout", "0.01")
    assert done.returncode == 1
    assert done.stderr.startswith(
        "dev: the release failed. The same release ran before, so nothing was undone. Fix what is wrong "
        "and deploy again.\nThe smoke test failed after "
    )


def test_a_release_is_deployed(here: Desk, embedded: Embedded, app: FakeApp, stub: EcsStub) -> None:
    stub.rollouts.append(SUCCESS)
    done = here.run(*ordered(embedded, app, 2))
    assert (done.returncode, done.stderr) == (0, "")
    assert phases(done.stdout) == ["+ record web", *DONE]
    assert re.search(r"^    web: 2abcdef \(\S+\) in place of 1abcdef \(\S+\)$", done.stdout, re.MULTILINE)
    assert "    new tasks: 1 of 2 running, 1 starting; old tasks: 2 running\n" in done.stdout
    assert " (service oaktree-dev-web) has reached a steady state.\n" in done.stdout
    assert re.search(r"^dev: web runs 2abcdef \(sha256:\w{12}\)\. It took ", done.stdout, re.MULTILINE)
    assert running(embedded) == COMMITS[2]
    version, record = recorded(embedded)
    assert (version, record["commit"], record["state"]) == (5, COMMITS[2], "in service")


def test_a_failed_rollout_is_undone(here: Desk, embedded: Embedded, app: FakeApp, stub: EcsStub) -> None:
    stub.rollouts.extend([FAILURE, SUCCESS])
    task = f"arn:aws:ecs:{REGION}:{ACCOUNT}:task/oaktree-dev/0123abcd"
    container = {"name": "web", "exitCode": 1}
    stub.stopped = [{"taskArn": task, "stoppedReason": "It exited", "containers": [container]}]
    logs = embedded.client("logs", REGION)
    logs.create_log_group(logGroupName=GROUP)
    stream = {"logGroupName": GROUP, "logStreamName": "web/web/0123abcd"}
    logs.create_log_stream(**stream)
    event = {"timestamp": int(time.time() * 1000), "message": "settings: TABLE is missing"}
    logs.put_log_events(**stream, logEvents=[event])
    done = here.run(*ordered(embedded, app, 3))
    stub.stopped = []
    assert done.returncode == 1
    undone = ["+ record web", *DONE[:3]]
    assert phases(done.stdout) == ["+ record web", *DONE[:2], "x rollout web", *undone]
    told = (
        "The rollout of web failed: ECS deployment circuit breaker: tasks failed to start. "
        "ECS went back to oaktree-dev-web:2."
    )
    assert f"\n{told}\n  new tasks: 0 of 2 running; failed: 3 (ECS gives up at 3)" in done.stdout
    assert "\n    0123abcd: It exited; web ended with exit status 1\n" in done.stdout
    assert "\n    | settings: TABLE is missing\n" in done.stdout
    assert "\nUndoing the release:\n" in done.stdout
    former = r"dev: the release failed and was undone: web runs 2abcdef \(sha256:\w{12}\) again\.\n"
    assert re.fullmatch(former + re.escape(told) + "\n", done.stderr)
    version, record = recorded(embedded)
    assert (version, record["commit"], running(embedded)) == (9, COMMITS[2], COMMITS[2])
    assert (record["state"], record["restores"], record["undoes"]) == ("in service", 5, 7)
    assert record["why"].startswith("undoes version 7: The rollout of web failed: ECS deployment circuit")


def test_a_release_whose_smoke_test_fails_is_undone(
    here: Desk, embedded: Embedded, app: FakeApp, stub: EcsStub
) -> None:
    stub.rollouts.extend([SUCCESS[-1:], SUCCESS[-1:]])
    arguments = ordered(embedded, app, 4, "--timeout", "0.01")
    app.be(OTHER, COMMITS[4])
    done = here.run(*arguments)
    assert done.returncode == 1
    undone = ["+ record web", *DONE[:3]]
    assert phases(done.stdout) == ["+ record web", *DONE[:3], "x smoke test web", *undone]
    assert done.stderr.startswith("dev: the release failed and was undone: web runs 2abcdef (")
    assert "/api/status reports another release than 4abcdef (sha256:" in done.stderr
    assert (recorded(embedded)[1]["commit"], running(embedded)) == (COMMITS[2], COMMITS[2])


def test_an_alarm_during_the_bake_undoes_the_release(here: Desk, embedded: Embedded, app: FakeApp) -> None:
    cloudwatch = embedded.client("cloudwatch", REGION)
    alarm = {"AlarmName": "oaktree-dev-web/cpu", "Namespace": "AWS/ECS", "MetricName": "CPUUtilization"}
    figures = {"Statistic": "Average", "Period": 60, "EvaluationPeriods": 1, "Threshold": 90.0}
    cloudwatch.put_metric_alarm(**alarm, **figures, ComparisonOperator="GreaterThanThreshold")
    with here.begin(*ordered(embedded, app, 5, "--bake", "60")) as process:
        said = read_until(process, "watching 1 alarms for 60 min")
        state = {"StateValue": "ALARM", "StateReason": "CPU at 99"}
        cloudwatch.set_alarm_state(AlarmName="oaktree-dev-web/cpu", **state)
        output, errors = process.communicate(timeout=300)
    cloudwatch.delete_alarms(AlarmNames=["oaktree-dev-web/cpu"])
    assert process.returncode == 1
    assert phases(said + output)[:6] == ["+ record web", *DONE, "x bake web"]
    assert "Alarm after the release: oaktree-dev-web/cpu.\n  oaktree-dev-web/cpu: CPU at 99\n" in output
    assert errors.startswith("dev: the release failed and was undone: web runs 2abcdef (")
    assert (recorded(embedded)[1]["commit"], running(embedded)) == (COMMITS[2], COMMITS[2])


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_of_the_wait_says_where_things_stand(
    here: Desk, embedded: Embedded, app: FakeApp, stub: EcsStub, sent: signal.Signals
) -> None:
    stub.rollouts.append(ENDLESS)
    number = 6 if sent == signal.SIGINT else 7
    with here.begin(*ordered(embedded, app, number)) as process:
        read_until(process, "new tasks: 0 of 2 running, 2 starting")
        process.send_signal(sent)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, errors) == (130, "Interrupted.\n")
    assert "The release is applied; ECS continues to roll it out, and it is not tested." in output
    assert "`make deploy ENV=dev` waits for it and tests it" in output


def test_deploying_again_goes_on_with_an_interrupted_rollout(here: Desk, app: FakeApp, stub: EcsStub) -> None:
    stub.go_on(SUCCESS)
    done = here.run("deploy", "--env", "dev", "--address", app.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert "nothing to change" in done.stdout
    assert re.search(r"^    web: 7abcdef \(\S+\) in place of 2abcdef \(\S+\)$", done.stdout, re.MULTILINE)
    assert "dev: web runs 7abcdef (" in done.stdout


def test_a_plan_that_would_replace_a_role_is_refused(here: Desk, embedded: Embedded, app: FakeApp) -> None:
    program = here.checkout.directory / "main.py"
    before = program.read_text()
    program.write_text(before.replace('ROLE = f"{NAME}-task"', 'ROLE = f"{NAME}-other"'))
    done = here.run(*ordered(embedded, app, 8))
    program.write_text(before)
    assert done.returncode == 1
    assert phases(done.stdout) == ["+ record web", "x plan dev-service", "+ record web"]
    assert done.stderr == (
        "The plan of dev-service does more than a release may, so nothing was applied:\n"
        "  aws_iam_role.task would be replaced: deleted and created again "
        "(because of triggers_replace)\n"
        "If that is what you want, look at it (`make plan ENV=dev STACK=service`) and apply it "
        "(`make apply ENV=dev STACK=service`).\n"
        "Nothing was applied, and the record names the previous release again.\n"
    )
    assert (recorded(embedded)[1]["commit"], running(embedded)) == (COMMITS[7], COMMITS[7])
    nothing = here.run("apply", "--env", "dev", "--stack", "service")
    assert "There is no saved plan of dev-service" in nothing.stderr


def test_a_release_that_somebody_recorded_meanwhile_is_left_alone(
    here: Desk, embedded: Embedded, app: FakeApp, stub: EcsStub
) -> None:
    stub.rollouts.append(ENDLESS)
    ssm = embedded.client("ssm", REGION)
    with here.begin(*ordered(embedded, app, 8)) as process:
        read_until(process, "new tasks: 0 of 2 running, 2 starting")
        value = recorded(embedded)[1] | {"commit": "fedcba9", "by": "Somebody"}
        ssm.put_parameter(
            Name="/oaktree/dev/releases/web", Value=json.dumps(value), Type="String", Overwrite=True
        )
        stub.go_on(FAILURE)
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "Somebody recorded " in errors
    assert " of fedcba9 (version " in errors
    assert "The release failed (The rollout of web failed: ECS deployment circuit breaker" in errors
    assert ") and is not undone, or only in part. `make releases ENV=dev` shows what is recorded" in errors
    assert recorded(embedded)[1]["commit"] == "fedcba9"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--env", "nowhere"), "ENV=nowhere is not an environment"),
        (("--env", "dev", "--service", "api"), "SERVICE=api is not a service of dev. Use one of web."),
        (
            ("--env", "dev", "--commit", "abcdef0"),
            "IMAGE is missing: COMMIT= names the commit that an image was built from.",
        ),
        (("--env", "dev", "--image", "web:latest"), "IMAGE=web:latest is not an image of this service"),
        (("--env", "dev", "--address", "there"), "ADDRESS=there is not an address such as"),
        (("--env", "dev", "--bake", "-1"), "--bake"),
    ],
)
def test_what_cannot_be_deployed_is_told(here: Desk, arguments: tuple[str, ...], told: str) -> None:
    done = here.run("deploy", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_credentials_of_another_account_are_refused(here: Desk, embedded: Embedded, stub: EcsStub) -> None:
    variables = embedded.environment("222222222222", REGION, here.environment)
    elsewhere = replace(here, environment=variables | {"AWS_ENDPOINT_URL": stub.endpoint})
    for command in ("deploy", "smoke"):
        done = elsewhere.run(command, "--env", "dev")
        assert done.returncode == 1
        assert f"those of account 222222222222; this belongs to account {ACCOUNT}" in done.stderr


def test_the_smoke_test_on_its_own_asks_for_what_is_recorded(
    here: Desk, embedded: Embedded, app: FakeApp
) -> None:
    record = recorded(embedded)[1]
    app.be(record["image"].partition("@")[2], record["commit"])
    done = here.run("smoke", "--env", "dev", "--address", app.address)
    assert (done.returncode, done.stderr) == (0, "")
    assert phases(done.stdout) == ["+ smoke test web"]
    app.be(OTHER, "0000000")
    failed = here.run("smoke", "--env", "dev", "--address", app.address, "--timeout", "0")
    assert failed.returncode == 1
    assert failed.stderr.startswith("The smoke test failed after 0 s: ")


def deployed_as(embedded: Embedded, app: FakeApp, number: int, commit: str, *more: str) -> tuple[str, ...]:
    """The arguments that deploy an image as the one of another commit than its tag says."""
    arguments = ordered(embedded, app, number, "--commit", commit, *more)
    app.be(pushed(embedded, number).partition("@")[2], commit)
    return arguments


def test_a_release_that_is_older_than_what_runs_is_skipped(
    here: Desk, embedded: Embedded, app: FakeApp
) -> None:
    directory = here.checkout.directory
    git(directory, "init", "--quiet")
    older, newer = (commit(directory, message) for message in ("older", "newer"))
    done = here.run(*deployed_as(embedded, app, 8, newer))
    assert (done.returncode, done.stderr) == (0, "")
    # What ran before is of no commit that Git has.
    assert re.search(
        rf"    web: Git does not know here whether {newer[:7]} is older than \w{{7}}, ", done.stdout
    )
    version = recorded(embedded)[0]

    done = here.run(*deployed_as(embedded, app, 7, older))
    skipped = f"Skipped: dev runs {newer[:7]}, which is newer than {older[:7]}. "
    skipped += "ALLOW_OLDER=1 deploys it all the same.\n"
    assert (done.returncode, done.stderr, done.stdout) == (0, "", skipped)
    assert (recorded(embedded)[0], running(embedded)) == (version, newer)

    done = here.run(*deployed_as(embedded, app, 7, older, "--allow-older"))
    assert (done.returncode, done.stderr) == (0, "")
    assert running(embedded) == older
    assert "Git does not know" not in done.stdout
    done = here.run(*deployed_as(embedded, app, 8, newer))
    assert (done.returncode, running(embedded)) == (0, newer)
    assert "Skipped" not in done.stdout
