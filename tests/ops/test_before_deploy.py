"""`before_deploy` in `deploy` and `bootstrap`, as commands, on the checkout's own embedded AWS.

The tests are one life of the small stacks, in the order they stand here. The command notes the commit that
it is of and whether the service had it already, and ends with the exit code that a test has put there.
"""

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ops.local.embedded import Embedded, find_embedded
from tests.ops.conftest import ACCOUNT, REGION, Desk
from tests.ops.test_deploy import phases, recorded, running

pytestmark = pytest.mark.e2e

MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json"
FAMILY = "oaktree-dev-web-before-deploy"

PROGRAM = """
import os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer
if os.environ["COMMIT"] == "abcdef4":
    sys.exit("no such table")
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""
COMMAND = """
import os, sys
from pathlib import Path
folder = Path(__file__).parent
with (folder / "ran").open("a") as ran:
    ran.write(os.environ["COMMIT"] + "\\n")
print("no such column")
sys.exit(int((folder / "code").read_text()))
"""
ENVIRONMENT = f"""
account_id = "{ACCOUNT}"
region = "{REGION}"
owner = "platform@example.com"
cost_centre = "1000"
network = {{ cidr = "10.10.0.0/16" }}

[services.web]
dockerfile = "web/Dockerfile"
health_path = "/health"
secrets = {{ WRITE_TOKEN_SHA256 = "ssm:/oaktree/dev/web/write-token-sha256" }}
before_deploy = ["python", "FOLDER/before.py"]
local = {{ command = ["python", "FOLDER/program.py", "{{port}}"], working_directory = "docs" }}
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the programs are, and what they note."""
    found = tmp_path_factory.mktemp("programs")
    (found / "program.py").write_text(PROGRAM)
    (found / "before.py").write_text(COMMAND)
    (found / "code").write_text("0")
    return found


@pytest.fixture(scope="module")
def embedded_here(releasing: Desk, folder: Path) -> Embedded:
    """What `up` brings."""
    environments = releasing.checkout.environments
    (environments / "dev.toml").write_text(ENVIRONMENT.replace("FOLDER", str(folder)))
    done = releasing.run("up")
    assert done.returncode == 0, done.stderr
    found = find_embedded(releasing.checkout.local)
    assert found
    return found


@pytest.fixture(scope="module")
def here(releasing: Desk, embedded_here: Embedded) -> Desk:
    """The desk in a shell that `local-env` points there."""
    return replace(releasing, environment=embedded_here.environment(ACCOUNT, REGION, releasing.environment))


def deployed(desk: Desk, embedded: Embedded, commit: str) -> Any:
    """Deploys an image that is pushed before."""
    layer = {"digest": f"sha256:{commit.rjust(64, '0')}"}
    put = embedded.client("ecr", REGION).put_image(
        repositoryName="oaktree/web",
        imageManifest=json.dumps({"schemaVersion": 2, "mediaType": MANIFEST_TYPE, "layers": [layer]}),
        imageManifestMediaType=MANIFEST_TYPE,
        imageTag=commit,
    )
    image = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/oaktree/web@{put['image']['imageId']['imageDigest']}"
    return desk.run("deploy", "--env", "dev", "--image", image)


def ran(folder: Path) -> list[str]:
    """The commits whose command has run."""
    return (folder / "ran").read_text().splitlines()


def latest(embedded: Embedded) -> dict[str, Any]:
    """The last task of a command, as ECS has it."""
    ecs = embedded.client("ecs", REGION)
    arns = ecs.list_tasks(cluster="oaktree-dev", desiredStatus="STOPPED")["taskArns"]
    tasks: list[dict[str, Any]] = ecs.describe_tasks(cluster="oaktree-dev", tasks=arns)["tasks"]
    return max(tasks, key=lambda task: int(task["taskDefinitionArn"].rpartition(":")[2]))


PREPARED = ["+ plan dev-service", "+ prepare before_deploy", "+ before_deploy web"]
APPLIED = ["+ apply dev-service", "+ rollout web", "+ app web", "+ smoke test web"]


def test_a_bootstrap_that_creates_its_task_runs_it_before_the_rest(here: Desk, folder: Path) -> None:
    before = ran(folder)
    (here.checkout.environments / "before.txt").write_text("first")
    done = here.run("bootstrap", "--env", "dev", "--yes")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert phases(done.stdout)[-6:] == [
        "+ dev-data",
        *PREPARED,
        "+ dev-service",
        "+ app web",
    ]
    assert len(ran(folder)) == len(before) + 1
    # The apply of all the rest finds nothing to do, and neither does a second run.
    done = here.run("bootstrap", "--env", "dev", "--yes")
    assert phases(done.stdout)[-4:] == ["+ dev-data", "+ plan dev-service", "+ dev-service", "+ app web"]
    assert len(ran(folder)) == len(before) + 1


def test_the_command_runs_in_a_task_of_its_own_before_the_service_changes(
    here: Desk, embedded_here: Embedded, folder: Path
) -> None:
    before = ran(folder)
    done = deployed(here, embedded_here, "abcdef2")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert phases(done.stdout) == ["+ record web", *PREPARED, "+ plan dev-service", *APPLIED]
    assert re.search(r"^\+ before_deploy web +\d+ s  ended with exit code 0$", done.stdout, re.MULTILINE)
    # Once: the service's start on this machine does not run it again.
    assert ran(folder) == [*before, "abcdef2"]
    task = latest(embedded_here)
    assert (task["startedBy"], task["containers"][0]["exitCode"]) == ("before_deploy", 0)
    assert f"/{FAMILY}:" in task["taskDefinitionArn"]


def test_nothing_is_run_if_nothing_changes(here: Desk, folder: Path) -> None:
    before = ran(folder)
    done = here.run("deploy", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert phases(done.stdout) == ["+ plan dev-service", *APPLIED]
    assert ran(folder) == before


def test_a_change_of_the_command_alone_runs_it(here: Desk, folder: Path) -> None:
    before = ran(folder)
    (here.checkout.environments / "before.txt").write_text("second")
    done = here.run("deploy", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert phases(done.stdout)[:4] == [*PREPARED, "+ plan dev-service"]
    assert ran(folder) == [*before, "abcdef2"]


def test_a_command_that_fails_stops_the_deployment_and_the_record_goes_back(
    here: Desk, embedded_here: Embedded, folder: Path
) -> None:
    (folder / "code").write_text("3")
    (here.checkout.environments / "service.txt").write_text("second")
    done = deployed(here, embedded_here, "abcdef3")
    assert done.returncode == 1
    assert phases(done.stdout) == [
        "+ record web",
        *PREPARED[:2],
        "x before_deploy web",
        "+ record web",
    ]
    reason = "before_deploy of web ended with exit code 3: Essential container in task exited; nothing was "
    reason += "deployed."
    assert f"\n{reason}\n    | no such column\n" in done.stdout
    assert re.match(
        rf"dev: {re.escape(reason)} web runs abcdef2 \(\S+\) as before\. Fix it and deploy again\.\n"
        r"before_deploy is not undone: a migration has to leave the previous release working",
        done.stderr,
    )
    assert running(embedded_here) == "abcdef2"
    version, record = recorded(embedded_here)
    assert (record["commit"], record["state"], record["undoes"]) == ("abcdef2", "in service", version - 2)
    assert record["why"].startswith(f"undoes version {version - 2}: before_deploy of web ended with ")
    ecs = embedded_here.client("ecs", REGION)
    revision = latest(embedded_here)["taskDefinitionArn"]
    # The next plan makes another one, so that the command runs again.
    found = ecs.describe_task_definition(taskDefinition=revision)["taskDefinition"]
    assert found["status"] == "INACTIVE"


def test_what_a_failed_command_left_is_applied_without_running_that_of_the_previous_release(
    here: Desk, embedded_here: Embedded, folder: Path
) -> None:
    before = ran(folder)
    done = here.run("deploy", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "    web: before_deploy is not run, because its release was there before\n" in done.stdout
    assert (ran(folder), running(embedded_here)) == (before, "abcdef2")


def test_an_undo_does_not_run_it_and_says_that_the_schema_stays(
    here: Desk, embedded_here: Embedded, folder: Path
) -> None:
    (folder / "code").write_text("0")
    before = ran(folder)
    done = deployed(here, embedded_here, "abcdef4")
    assert done.returncode == 1
    assert ran(folder) == [*before, "abcdef4"]
    assert "\nbefore_deploy is not undone: a migration has to leave the previous release " in done.stderr
    assert recorded(embedded_here)[1]["commit"] == "abcdef2"


def test_a_rollback_does_not_run_it(here: Desk, embedded_here: Embedded, folder: Path) -> None:
    assert deployed(here, embedded_here, "abcdef5").returncode == 0
    before = ran(folder)
    assert before[-1] == "abcdef5"
    assert here.run("rollback", "--env", "dev").returncode == 0
    done = here.run("deploy", "--env", "dev")
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert "    web: before_deploy is not run, because its release was there before\n" in done.stdout
    assert (ran(folder), running(embedded_here)) == (before, "abcdef2")
