"""The image for real: built from the Dockerfile as it is, run confined, stopped, pushed and pulled."""

import hashlib
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from ops.images.engine import Engine, Image
from ops.local.embedded import Embedded
from ops.local.runners import SMALLEST_TASK_MIB
from ops.releases.records import Releases
from stacks.fargate import MEMORY_BY_CPU
from stacks.naming import registry
from stacks.reading import read_platform
from tests.docker.conftest import COMMIT, run_ops
from tests.docker.containers import Container, inspected, running_container, running_registry
from tests.places import ENVIRONMENTS, ROOT
from tests.webapp.crowd import crowd
from tests.webapp.environment import environ_of
from tests.webapp.faults import silence
from tests.webapp.waiting import soon
from webapp.contract import (
    COMMAND,
    HEALTH_COMMAND,
    HEALTH_PATH,
    PORT,
    STATUS_PATH,
    STOP_SIGNAL,
    USER,
)
from webapp.endpoints.incidents import INCIDENTS_PATH

pytestmark = pytest.mark.engine

WANTED_BYTES = 180e6
MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
)

LISTING = """
import hashlib, os, sys
for root in ("/opt/venv", "/app"):
    for directory, _, files in os.walk(root):
        for path in sorted(os.path.join(directory, name) for name in files):
            found = os.lstat(path)
            content = b"" if os.path.islink(path) else open(path, "rb").read()
            print(path, oct(found.st_mode), int(found.st_mtime), hashlib.sha256(content).hexdigest())
"""


@pytest.fixture(scope="module")
def variables(embedded: Embedded) -> dict[str, str]:
    """What the app is given."""
    return environ_of(embedded.endpoint)


@pytest.fixture(scope="module")
def app(engine: Engine, image: Image, variables: dict[str, str]) -> Iterator[Container]:
    """The app in a container, started from an environment that is not the app's."""
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as machine:
            machine.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
            machine.setenv("LEAKED", "from this machine")
            container = stack.enter_context(running_container(engine, image.id, variables))
        yield container


def test_the_image_is_told_what_it_is(image: Image) -> None:
    project = read_platform(ENVIRONMENTS).project
    label = "org.opencontainers.image"
    told = {name: value for name, value in image.labels.items() if name.startswith(label)}
    assert told == {
        f"{label}.title": "oaktree",
        f"{label}.source": f"https://github.com/{project.repository}",
        f"{label}.revision": COMMIT,
        f"{label}.version": "0.1.0",
        f"{label}.created": "2023-11-14T22:13:20Z",
    }


def test_the_image_says_how_it_is_run_as_the_contract_does(engine: Engine, image: Image) -> None:
    configuration = inspected(engine, image.id)["Config"]
    assert configuration["User"] == USER
    assert tuple(configuration["Cmd"]) == COMMAND
    assert list(configuration["ExposedPorts"]) == [f"{PORT}/tcp"]
    assert configuration["StopSignal"] in (STOP_SIGNAL, str(int(signal.Signals[STOP_SIGNAL])))
    health = configuration.get("Healthcheck") or inspected(engine, image.id)["Healthcheck"]
    assert health["Test"] == ["CMD", *HEALTH_COMMAND]
    assert not configuration.get("Entrypoint")


def test_the_app_answers_from_a_container_that_may_do_nothing(app: Container) -> None:
    status = httpx.get(f"{app.address}{STATUS_PATH}").json()
    assert (status["title"], len(status["fingerprint"])) == ("Status", 16)
    assert "services.web" in status["components"]
    limit = app.inspected()["HostConfig"]
    assert limit["ReadonlyRootfs"] is True
    assert limit["Memory"] == SMALLEST_TASK_MIB * 2**20
    assert min(MEMORY_BY_CPU[min(MEMORY_BY_CPU)]) == SMALLEST_TASK_MIB
    process = dict(
        line.split(":\t", 1)
        for line in app.python("print(open('/proc/1/status').read())").splitlines()
        if line
    )
    assert process["Uid"].split() == ["10001"] * 4
    assert process["Gid"].split() == ["10001"] * 4
    assert process["NoNewPrivs"] == "1"
    for kind in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert int(process[kind], 16) == 0


@pytest.mark.parametrize("directory", ["/", "/app", "/tmp", "/var/tmp", "/opt/venv", "/run"])  # noqa: S108
def test_nothing_can_be_written(app: Container, directory: str) -> None:
    done = app.exec("python", "-c", f"open('{directory}/x', 'w')")
    assert done.returncode == 1
    assert "Read-only file system" in done.stderr or "Permission denied" in done.stderr


def test_the_app_has_the_variables_it_is_given_and_none_of_this_machine(
    app: Container, variables: dict[str, str]
) -> None:
    found = json.loads(app.python("import json, os; print(json.dumps(dict(os.environ)))"))
    assert variables.items() <= found.items()
    base = {"GPG_KEY", "LANG", "LC_CTYPE", "PYTHON_SHA256", "PYTHON_VERSION"}
    assert set(found) - set(variables) - base <= {"HOME", "HOSTNAME", "PATH", "TERM", "container"}


def test_the_health_check_passes_and_fails_while_the_app_is_stuck(app: Container) -> None:
    assert app.healthy().returncode == 0
    app.signal("STOP")
    try:
        stuck = app.healthy()
    finally:
        app.signal("CONT")
    assert stuck.returncode == 1
    assert stuck.stderr.startswith("no answer from port")
    soon(lambda: app.healthy().returncode, (0).__eq__)


def test_the_health_check_fails_where_nothing_listens(app: Container) -> None:
    done = app.exec(*HEALTH_COMMAND[:-2], "1", HEALTH_PATH)
    assert (done.returncode, done.stderr.startswith("no answer from port 1")) == (1, True)


def test_a_stop_signal_during_requests_loses_none_and_ends_well(engine: Engine, image: Image) -> None:
    """The table does not answer, so the requests are in flight when the signal comes."""
    with silence() as server:
        variables = environ_of(server.url, shutdown_timeout=20)
        with (
            running_container(engine, image.id, variables, until=HEALTH_PATH) as container,
            crowd(container.port, INCIDENTS_PATH, 20) as asked,
        ):
            assert not asked.done()
            container.process.send_signal(signal.Signals[STOP_SIGNAL])
            assert [answer.status_code for answer in asked.result()] == [503] * 20
            assert container.process.wait(30) == 0


def test_an_engine_stops_it_within_the_time_it_gives(
    engine: Engine, image: Image, embedded: Embedded
) -> None:
    with running_container(engine, image.id, environ_of(embedded.endpoint)) as container:
        assert engine.stop(container.name, 20)
        assert container.process.wait(30) == 0


def test_a_missing_variable_is_named_and_nothing_starts(engine: Engine, image: Image) -> None:
    command = engine.run_command(image.id, f"oaktree-test-{os.getpid()}", (), ())
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "TABLE" in done.stderr


def test_the_image_has_the_app_and_what_it_needs_and_nothing_else(app: Container) -> None:
    files = [line.split()[0] for line in app.python(LISTING).splitlines()]
    ours = sorted(Path(file).relative_to("/app") for file in files if file.startswith("/app/"))
    sources = {path for path in ours if path.suffix != ".pyc"}
    tracked = subprocess.run(
        ("git", "ls-files", "--cached", "--others", "--exclude-standard", "webapp"),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert sources == {Path(name) for name in tracked}
    packages = {Path(file).parts[6].lower() for file in files if "/site-packages/" in file}
    assert "starlette" in packages
    assert not packages & {
        "cdktf",
        "jsii",
        "moto",
        "boto3",
        "pytest",
        "_pytest",
        "mypy",
        "typer",
        "rich",
        "pip",
    }
    locked = set(re.findall(r"^([\w.-]+==\S+)", (ROOT / "requirements/app.txt").read_text(), re.MULTILINE))
    installed = app.python(
        "from importlib.metadata import distributions as all\n"
        "print(*{f'{each.name.lower()}=={each.version}' for each in all()})"
    ).split()
    assert {name.replace("_", "-") for name in installed} <= locked
    compiled = {file for file in files if file.endswith(".pyc")}
    for file in files:
        if file.endswith(".py") and not file.startswith("/opt/venv/bin/"):
            folder, _, name = file.rpartition("/")
            stem = name.removesuffix(".py")
            assert any(pyc.startswith(f"{folder}/__pycache__/{stem}.cpython-") for pyc in compiled), file
    left = (
        "from pathlib import Path as P; "
        "print([p for p in ('~root/.cache', '/build', '/etc/pip.conf') if P(p).expanduser().exists()])"
    )
    # The home of root is closed to the app's user, so only root can tell what is in it.
    as_root = (app.engine.executable, "exec", "--user=0", app.name, "python", "-c", left)
    done = subprocess.run(as_root, capture_output=True, text=True, check=False)
    assert (done.stdout, done.returncode) == ("[]\n", 0), done.stderr


def test_another_build_of_the_same_has_the_same_layers(engine: Engine, image: Image) -> None:
    flags = f"{os.environ.get('IMAGE_BUILD_FLAGS', '')} --no-cache"
    done = run_ops("image", "--commit", COMMIT[::-1], IMAGE_BUILD_FLAGS=flags)
    assert done.returncode == 0, done.stderr[-3000:]
    again = engine.image(f"oaktree/web:{COMMIT[::-1]}")
    assert again
    assert again.id != image.id, "each is labelled with its own commit"
    assert _listing(engine, again) == _listing(engine, image)
    if engine.kind == "podman":
        assert again.layers == image.layers
    other = f"oaktree/web:{COMMIT[::-1]}"
    subprocess.run((engine.executable, "rmi", other), capture_output=True, check=True)


def _listing(engine: Engine, image: Image) -> str:
    command = engine.run_command(image.id, f"oaktree-test-{os.getpid()}", ("python", "-c", LISTING), ())
    return hashlib.sha256(subprocess.run(command, capture_output=True, check=True).stdout).hexdigest()


def test_pushed_and_pulled_and_released_it_is_the_same_digest(
    engine: Engine, image: Image, embedded: Embedded, tmp_path: Path
) -> None:
    with running_registry(tmp_path) as host:
        done = run_ops("image-push", "--commit", COMMIT, "--repository", f"{host}/oaktree/web")
        assert done.returncode == 0, done.stderr
        pushed = done.stdout.strip()
        repository, _, digest = pushed.partition("@")
        assert repository == f"{host}/oaktree/web"
        manifest = httpx.get(
            f"http://{host}/v2/oaktree/web/manifests/{COMMIT}",
            headers={"Accept": ", ".join(MANIFESTS)},
        )
        assert f"sha256:{hashlib.sha256(manifest.content).hexdigest()}" == digest
        plain = ("--tls-verify=false",) if engine.kind == "podman" else ()
        subprocess.run((engine.executable, "rmi", f"{repository}:{COMMIT}"), capture_output=True, check=True)
        subprocess.run((engine.executable, "pull", *plain, pushed), capture_output=True, check=True)
        pulled = engine.image(pushed)
        assert pulled
        assert pulled.layers == image.layers
        subprocess.run((engine.executable, "rmi", pushed), capture_output=True, check=True)
    _release(embedded, manifest.text, digest)


def _release(embedded: Embedded, manifest: str, digest: str) -> None:
    """Put the manifest into the registry of the embedded AWS, and record its release."""
    platform = read_platform(ENVIRONMENTS)
    environment, project = platform.environments["dev"], platform.project
    ecr: Any = embedded.client("ecr", project.region, project.account_id)
    ecr.create_repository(repositoryName="oaktree/web")
    # AWS computes the digest of a manifest and checks what it is told; the embedded one takes it as told.
    ecr.put_image(repositoryName="oaktree/web", imageManifest=manifest, imageTag=COMMIT, imageDigest=digest)
    ssm = embedded.client("ssm", environment.region, environment.account_id)
    releases = Releases(project, environment, ssm, ecr)
    assert releases.record("web", f"{registry(project)}/oaktree/web@{digest}", COMMIT)
    release = releases.current("web")
    assert release
    assert release.image.endswith(f"/oaktree/web@{digest}")


@pytest.mark.usefixtures("image")
def test_the_report_adds_up_and_is_below_what_is_wanted(image: Image) -> None:
    done = run_ops("image-report", "--commit", COMMIT)
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)
    *layers, total = [float(line.split(" MB")[0]) for line in done.stdout.splitlines()[1:]]
    assert sum(layers) == pytest.approx(total, abs=1)
    assert image.size < WANTED_BYTES


def test_changes_in_no_commit_are_not_pushed() -> None:
    done = run_ops("image-push", "--commit", f"{COMMIT}-dirty", "--repository", "127.0.0.1:9/oaktree/web")
    assert done.returncode == 2
    assert "has no commit to be named after" in " ".join(done.stderr.split())


@pytest.mark.parametrize("wrong", ["oaktree", "127.0.0.1:9/oaktree/web:latest", "127.0.0.1:9/web@sha256:0"])
def test_a_repository_is_named_without_a_tag(wrong: str) -> None:
    done = run_ops("image-push", "--commit", COMMIT, "--repository", wrong)
    assert done.returncode == 2
    assert f"REPOSITORY={wrong} is not a repository" in done.stderr


def test_an_image_that_is_not_there_is_told_with_what_builds_it() -> None:
    done = run_ops("image-report", "--commit", "f" * 40)
    assert done.returncode == 1
    assert "`make image SERVICE=web` builds" in done.stderr
