"""Services in containers: a sidecar that takes the traffic, a worker with a health check, before_deploy."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ops.core.checkout import Checkout
from ops.core.errors import OpsError
from ops.images.engine import Engine, Image
from ops.local.embedded import Embedded
from ops.local.services import Services
from ops.local.up import stop_all
from stacks.reading import read_platform
from stacks.workloads import workload
from tests.ops.registering import register
from tests.serving import free_port
from tests.stacks.platform_files import environment, write_platform

pytestmark = pytest.mark.engine

SERVER = """
import http.server, os, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(os.environ["SERVICE"].encode())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
PROXY = """
import http.server, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"by the sidecar: " + urllib.request.urlopen(os.environ["BEHIND"]).read())
http.server.HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""
SETTINGS = """
[services.web]
dockerfile = "docker/Dockerfile"
context = "."
port = {inner}
command = ["python", "-c", {server}]
before_deploy = ["python", "-c", "raise SystemExit({status})"]
target_container = "proxy"

[services.web.sidecars.proxy]
dockerfile = "docker/Dockerfile"
context = "."
port = {outer}
command = ["python", "-c", {proxy}]
environment = {{ BEHIND = "http://127.0.0.1:{inner}" }}

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["python", "-c", "import time; open('/beat/file', 'w'); time.sleep(600)"]
writable_paths = ["/beat"]
user = "0"
container_health = {{ command = ["python", "-c", "open('/beat/file')"] }}
"""


@pytest.fixture
def settings() -> dict[str, object]:
    quoted = {"server": f"'''{SERVER}'''", "proxy": f"'''{PROXY}'''"}
    return {"inner": free_port(), "outer": free_port(), "status": 0, **quoted}


def services_of(
    directory: Path, settings: dict[str, object], embedded: Embedded, engine: Engine, image: Image
) -> Services:
    text = SETTINGS.format(**settings)
    platform = read_platform(write_platform(directory / "settings", dev=environment(services=text)))
    project, dev = platform.project, platform.environments["dev"]
    register(embedded, project.name, [workload(project, dev, key) for key in dev.services])
    built = {"web": image.id, "web.proxy": image.id}
    return Services(Checkout(directory), embedded, project, dev, engine, _built=built)


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path
    stop_all(Checkout(tmp_path).local)


def test_all_containers_of_a_task_run_and_the_target_takes_the_traffic(
    directory: Path, settings: dict[str, object], embedded: Embedded, engine: Engine, image: Image
) -> None:
    services = services_of(directory, settings, embedded, engine, image)
    web = services.run("web")
    assert web.what == "before_deploy ended with status 0, started, started"
    assert web.address == services.address("web") == f"http://127.0.0.1:{settings['outer']}"
    assert httpx.get(web.address, trust_env=False).text == "by the sidecar: web"
    assert services.run("web").what == "unchanged"


def test_a_worker_is_ready_once_its_health_check_passes_in_its_container(
    directory: Path, settings: dict[str, object], embedded: Embedded, engine: Engine, image: Image
) -> None:
    services = services_of(directory, settings, embedded, engine, image)
    assert services.run("worker").what == "started"
    assert services.runs("worker")


def test_a_before_deploy_that_fails_in_its_container_stops_the_service(
    directory: Path, settings: dict[str, object], embedded: Embedded, engine: Engine, image: Image
) -> None:
    services = services_of(directory, settings | {"status": 3}, embedded, engine, image)
    with pytest.raises(OpsError, match="before_deploy of web ended with status 3"):
        services.run("web")
    assert not services.runs("web")
