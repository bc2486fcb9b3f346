"""Set-ups as teams have them, each from its settings to what runs."""

import json
from pathlib import Path
from typing import Any

import pytest

from stacks.reading import read_platform
from stacks.rules import warnings
from tests.stacks.conftest import Synthesize
from tests.stacks.platform_files import environment, write_platform
from tests.stacks.terraform_json import Stack

DJANGO = """
[services.site]
dockerfile    = "site/Dockerfile"
port          = 8000
health_path   = "/healthz"
command       = ["gunicorn", "site.wsgi", "--bind", "0.0.0.0:8000"]
uses          = ["databases.site", "caches.site", "buckets.media"]
before_deploy = ["python", "manage.py", "migrate"]
secrets       = { DJANGO_SECRET_KEY = "secretsmanager:site#key" }

[services.worker]
kind          = "worker"
same_image_as = "site"
command       = ["celery", "-A", "site", "worker"]
uses          = ["databases.site", "caches.site", "buckets.media"]

[services.beat]
kind          = "worker"
same_image_as = "site"
command       = ["celery", "-A", "site", "beat", "-s", "/tmp/schedule"]
writable_paths = ["/tmp"]
uses          = ["caches.site"]
scaling       = { min_capacity = 1, max_capacity = 1 }

[databases.site]
[caches.site]
[buckets.media]
"""

SIDECAR = """
[services.api]
dockerfile       = "api/Dockerfile"
port             = 9000
target_container = "nginx"
health_path      = "/healthz"
uses             = ["volumes.files"]

[services.api.sidecars.nginx]
image          = "public.ecr.aws/nginx/nginx@sha256:DIGITS"
port           = 8080
writable_paths = ["/var/cache/nginx", "/var/run"]

[volumes.files]
path = "/files"
""".replace("DIGITS", "0" * 64)

JOBS = """
[services.api]
dockerfile = "api/Dockerfile"
uses       = ["databases.ledger"]

[services.hourly]
kind          = "job"
same_image_as = "api"
command       = ["python", "-m", "ledger.import"]
schedule      = "rate(1 hour)"
uses          = ["databases.ledger"]

[services.nightly]
kind          = "job"
same_image_as = "api"
command       = ["python", "-m", "ledger.close"]
schedule      = "cron(0 3 * * ? *)"
timezone      = "Europe/Berlin"
uses          = ["databases.ledger"]

[services.monthly]
kind          = "job"
same_image_as = "api"
command       = ["python", "-m", "ledger.report"]
schedule      = "0 6 1 * *"
uses          = ["databases.ledger"]

[databases.ledger]
"""


@pytest.mark.parametrize("services", [DJANGO, SIDECAR, JOBS])
def test_it_is_taken_without_a_warning(tmp_path: Path, services: str) -> None:
    platform = read_platform(write_platform(tmp_path, dev=environment(services=services)))
    assert list(warnings(platform)) == []


def containers(stack: Stack, task: str) -> dict[str, Any]:
    """The containers of a task definition, by name."""
    found = json.loads(stack.one("aws_ecs_task_definition", task)["container_definitions"])
    return {each["name"]: each for each in found}


def given(stack: Stack, service: str) -> set[str]:
    """The variables and secrets of a service's own container."""
    container = containers(stack, f"{service}_task")[service]
    return {each["name"] for each in (*container["environment"], *container["secrets"])}


def test_a_django_site_has_one_image_and_each_part_what_it_needs(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=DJANGO))["dev-service"]
    database = {"SITE_HOST", "SITE_PORT", "SITE_NAME", "SITE_USER", "SITE_PASSWORD"}
    everything = database | {"SITE_CACHE_URL", "MEDIA_BUCKET"}
    assert everything <= given(stack, "site")
    assert everything <= given(stack, "worker")
    assert given(stack, "beat") & everything == {"SITE_CACHE_URL"}
    images = {containers(stack, f"{each}_task")[each]["image"] for each in ("site", "worker", "beat")}
    assert images == {"${local.site_release.image}"}
    migration = containers(stack, "site_before_deploy")["site"]
    assert migration["command"] == ["python", "manage.py", "migrate"]
    assert database <= {each["name"] for each in (*migration["environment"], *migration["secrets"])}
    assert set(stack.all("aws_lb_target_group")) == {"site_targets"}


def test_a_proxy_takes_the_requests_and_shares_the_files(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=SIDECAR))["dev-service"]
    found = containers(stack, "api_task")
    mounts = {
        name: {mount["containerPath"]: mount["sourceVolume"] for mount in each["mountPoints"]}
        for name, each in found.items()
    }
    assert mounts["api"] == {"/files": "volume-files"}
    assert mounts["nginx"]["/files"] == "volume-files"
    (balanced,) = stack.one("aws_ecs_service")["load_balancer"]
    assert (balanced["container_name"], balanced["container_port"]) == ("nginx", 8080)


def test_three_jobs_of_one_image_start_at_their_times(synthesize: Synthesize) -> None:
    stack = synthesize(dev=environment(services=JOBS))["dev-service"]
    schedules = {
        name: body["schedule_expression"] for name, body in stack.all("aws_scheduler_schedule").items()
    }
    assert schedules == {
        "hourly_schedule": "rate(1 hour)",
        "nightly_schedule": "cron(0 3 * * ? *)",
        "monthly_schedule": "cron(0 6 1 * ? *)",
    }
    for job in ("hourly", "nightly", "monthly"):
        assert containers(stack, f"{job}_task")[job]["image"] == "${local.api_release.image}"
        assert "LEDGER_HOST" in given(stack, job)
    assert set(stack.all("aws_ecs_service")) == {"api_service"}
