"""`up` and `down`, as commands.

The tests are one life of the small stacks, in the order they stand here.
"""

import hashlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.request
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.core.checkout import Checkout
from ops.local import processes
from ops.local.database_server.binaries import find_binaries
from ops.local.embedded import find_embedded
from ops.local.firsts import put_image
from ops.local.processes import running
from stacks.reading import read_platform
from tests.commands import Command
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.registering import GIVEN_BY_AWS
from webapp.contract import fingerprint

pytestmark = pytest.mark.e2e

APP = "app-dev-web"


@pytest.fixture(scope="module")
def stranger(desk: Desk, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """The desk of somebody whose shell is set up for a real AWS, which must not be reached."""
    files = tmp_path_factory.mktemp("aws")
    nowhere = "http://127.0.0.1:9"
    (files / "config").write_text(f"[profile real]\nregion = us-east-1\nendpoint_url = {nowhere}\n")
    real = {
        "AWS_PROFILE": "real",
        "AWS_CONFIG_FILE": str(files / "config"),
        "AWS_SESSION_TOKEN": "real",
        "AWS_ENDPOINT_URL_S3": nowhere,
        "AWS_ENDPOINT_URL_SSM": nowhere,
        "AWS_ENDPOINT_URL_DYNAMODB": nowhere,
        "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
        "HTTP_PROXY": nowhere,
        "TF_WORKSPACE": "real",
    }
    return replace(desk, environment={**desk.environment, **real})


def wait_for(there: Callable[[], object], process: Command) -> None:
    deadline = time.monotonic() + 120
    while not there():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)


def processes_of(checkout: Checkout) -> list[str]:
    """Every process that was started for a checkout: by its arguments or by its lock."""
    listed = subprocess.run(("ps", "-eo", "args"), capture_output=True, text=True, check=True).stdout
    named = [line for line in listed.splitlines() if str(checkout.directory) in line]
    held = [path.stem for path in checkout.local.glob("*.pid") if running(path.stem, checkout.local)]
    return named + held


def get(address: str) -> dict[str, Any]:
    with urllib.request.urlopen(address, timeout=10) as answer:
        content: dict[str, Any] = json.load(answer)
    return content


def results(output: str) -> dict[str, str]:
    """What became of each phase."""
    lines = re.findall(r"^[+x-] (\S.{20}) +\d+ s  (.*)$", output, re.MULTILINE)
    return {name.strip(): result for name, result in lines}


def address_of(output: str) -> str:
    match = re.search(r"^dev web: (http://127\.0\.0\.1:\d+)$", output, re.MULTILINE)
    assert match, output
    return match[1]


def test_down_is_quiet_when_there_is_nothing(desk: Desk) -> None:
    done = desk.run("down")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not desk.checkout.state.exists()


def test_local_env_says_that_nothing_runs(desk: Desk) -> None:
    done = desk.run("local-env")
    assert (done.returncode, done.stdout) == (1, "")
    assert "No embedded AWS runs here. `make up` starts it." in done.stderr


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_process(stranger: Desk, sent: signal.Signals) -> None:
    waiting = stranger.checkout.environments / "wait"
    waiting.touch()
    log = stranger.checkout.local / "logs" / "foundation-apply.log"
    log.unlink(missing_ok=True)
    with stranger.begin("up") as process:
        wait_for(lambda: log.exists() and "Provisioning with" in log.read_text(), process)
        assert processes_of(stranger.checkout)
        process.send_signal(sent)
        output, errors = process.communicate(timeout=120)
    waiting.unlink()
    assert process.returncode == 130
    assert processes_of(stranger.checkout) == []
    assert errors.endswith("Interrupted.\n")
    assert results(output)["foundation"] == "interrupted"
    assert "Traceback" not in errors


def test_up_resumes_and_a_second_one_meanwhile_is_refused(stranger: Desk) -> None:
    with stranger.begin("up") as first:
        lock = stranger.checkout.state / "local.lock"
        wait_for(lambda: lock.exists() and lock.read_text(), first)
        for command in ("up", "down"):
            second = stranger.run(command)
            assert second.returncode == 1
            assert f"Another `make up` or `make down` is at work here (process {first.pid})" in second.stderr
        output, errors = first.communicate(timeout=300)
    assert (first.returncode, errors) == (0, "")
    assert results(output) == {
        "synthesis": "done",
        "embedded AWS": results(output)["embedded AWS"],
        "foundation": results(output)["foundation"],
        "images and secrets": "for web, secrets made up: 1",
        "releases": "recorded for web",
        "dev-network": "1 added, 0 changed, 0 destroyed",
        "dev-data": "1 added, 0 changed, 0 destroyed",
        "dev-service": "4 added, 0 changed, 0 destroyed",
        "app web": "started",
    }
    status = get(f"{address_of(output)}/api/status")
    assert re.fullmatch("[0-9a-f]{16}", status["fingerprint"])


def test_the_app_has_the_secret_of_the_task_definition(desk: Desk) -> None:
    token = desk.checkout.local / "write-token"
    assert token.stat().st_mode & 0o777 == 0o600
    embedded = find_embedded(desk.checkout.local)
    assert embedded
    found = embedded.client("ssm", REGION).get_parameter(
        Name="/oaktree/dev/web/write-token-sha256", WithDecryption=True
    )
    value = found["Parameter"]["Value"]
    assert value == hashlib.sha256(token.read_text().encode()).hexdigest()
    pid = running(APP, desk.checkout.local)
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    assert f"WRITE_TOKEN_SHA256={value}" in variables
    assert "TABLE=oaktree-dev-status" in variables
    names = {variable.partition("=")[0] for variable in variables if variable.startswith("AWS_")}
    assert names == GIVEN_BY_AWS
    assert token.read_text() not in "".join(variables)


def test_a_second_up_changes_and_restarts_nothing(stranger: Desk) -> None:
    names = ("embedded", APP)
    before = [running(name, stranger.checkout.local) for name in names]
    done = stranger.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    found = results(done.stdout)
    phases = ("foundation", "releases", "dev-network", "dev-data", "dev-service", "app web")
    assert [found[phase] for phase in phases] == ["unchanged"] * 6
    assert None not in before
    assert [running(name, stranger.checkout.local) for name in names] == before


@pytest.mark.skipif(find_binaries() is None, reason="no PostgreSQL for this machine")
def test_up_runs_the_databases_that_rds_has(stranger: Desk) -> None:
    embedded = find_embedded(stranger.checkout.local)
    assert embedded
    instance = embedded.client("rds", REGION).create_db_instance(
        DBInstanceIdentifier="oaktree-dev-shop",
        DBInstanceClass="db.t4g.micro",
        Engine="postgres",
        AllocatedStorage=20,
        MasterUsername="postgres",
        ManageMasterUserPassword=True,
    )["DBInstance"]
    done = stranger.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    assert results(done.stdout)["database shop"] == "started"
    assert f"oaktree-dev-shop  database  127.0.0.1:{instance['Endpoint']['Port']}\n" in done.stdout
    name = f"database-{instance['DbiResourceId']}"
    pid = running(name, stranger.checkout.local)
    assert pid
    assert results(stranger.run("up").stdout)["database shop"] == "unchanged"
    assert running(name, stranger.checkout.local) == pid
    embedded.client("rds", REGION).delete_db_instance(
        DBInstanceIdentifier="oaktree-dev-shop", SkipFinalSnapshot=True
    )
    assert "database shop" not in results(stranger.run("up").stdout)
    assert running(name, stranger.checkout.local) is None


def test_local_env_points_a_shell_to_it(stranger: Desk) -> None:
    exports = stranger.run("local-env").stdout
    shown = subprocess.run(
        ("sh", "-c", 'eval "$1"; env', "sh", exports),
        capture_output=True,
        text=True,
        check=True,
        env=stranger.environment,
    ).stdout
    embedded = find_embedded(stranger.checkout.local)
    assert embedded
    variables = dict(line.split("=", 1) for line in shown.splitlines() if line.startswith("AWS_"))
    assert variables == embedded.variables(embedded.credentials(ACCOUNT), REGION)


def test_a_new_release_restarts_the_app_and_nothing_else(desk: Desk) -> None:
    embedded = find_embedded(desk.checkout.local)
    assert embedded
    ecr = embedded.client("ecr", REGION)
    manifest = {"schemaVersion": 2, "layers": [{"digest": "sha256:" + "a" * 64}]}
    media_type = "application/vnd.oci.image.manifest.v1+json"
    digest = ecr.put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps(manifest),
        imageManifestMediaType=media_type,
        imageTag="second",
    )["image"]["imageId"]["imageDigest"]
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web@{digest}"
    here = replace(desk, environment=embedded.environment(ACCOUNT, REGION, desk.environment))
    arguments = ("--env", "dev", "--service", "web", "--image", image, "--commit", "abcdef0")
    released = here.run("release", *arguments)
    assert (released.returncode, released.stderr) == (0, "")
    before = running(APP, desk.checkout.local)
    done = desk.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    found = results(done.stdout)
    assert (found["releases"], found["dev-network"], found["app web"]) == (
        "unchanged",
        "unchanged",
        "started",
    )
    assert running(APP, desk.checkout.local) != before
    runs = get(f"{address_of(done.stdout)}/api/status")["fingerprint"]
    assert runs == fingerprint(image.partition("@")[2], "abcdef0")


def test_up_brings_back_what_was_killed(desk: Desk) -> None:
    for name in ("embedded", APP):
        pid = running(name, desk.checkout.local)
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        while running(name, desk.checkout.local):
            time.sleep(0.01)
    done = desk.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    found = results(done.stdout)
    assert [found[stack] for stack in ("foundation", "dev-network", "dev-data", "dev-service")] == [
        "unchanged"
    ] * 4
    assert found["app web"] == "started"
    assert get(f"{address_of(done.stdout)}/readyz")["ready"] is True


def test_a_state_lock_of_a_killed_run_does_not_block_the_next(desk: Desk) -> None:
    embedded = find_embedded(desk.checkout.local)
    assert embedded
    s3 = embedded.client("s3", REGION)
    lock = {"Bucket": f"oaktree-state-{ACCOUNT}-{REGION}", "Key": "dev-network.tfstate.tflock"}
    s3.put_object(**lock, Body=json.dumps({"ID": "killed"}).encode())
    processes.stop("embedded", desk.checkout.local)
    done = desk.run("up")
    assert (done.returncode, done.stderr) == (0, "")
    assert "state locks of an interrupted run released" in results(done.stdout)["embedded AWS"]


def test_a_failed_phase_says_which_and_why_and_the_next_run_resumes(desk: Desk) -> None:
    content = desk.checkout.environments / "network.txt"
    before = content.read_text()
    content.write_text("${missing.reference}")
    failed = desk.run("up")
    content.write_text(before)
    assert failed.returncode == 1
    assert results(failed.stdout)["dev-network"] == "failed"
    assert "app web" not in results(failed.stdout)
    assert "The phase dev-network failed. `terraform apply" in failed.stderr
    assert "Error: Reference to undeclared resource" in failed.stderr
    assert f"Log: {desk.checkout.local}/logs/dev-network-apply.log" in failed.stderr
    assert "`make up` resumes" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert desk.run("up").returncode == 0


def test_the_first_image_is_put_once(desk: Desk) -> None:
    embedded = find_embedded(desk.checkout.local)
    assert embedded
    project = read_platform(desk.checkout.environments).project
    ecr = embedded.client("ecr", REGION)
    assert put_image(ecr, project, "web") == put_image(ecr, project, "web")
    assert len(ecr.describe_images(repositoryName="oaktree/web")["imageDetails"]) == 2


def test_down_stops_and_removes_everything(desk: Desk) -> None:
    done = desk.run("down")
    assert (done.returncode, done.stderr) == (0, "")
    assert processes_of(desk.checkout) == []
    assert not desk.checkout.local.exists()
    again = desk.run("down")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")
