"""Services of every kind in the settings: what is refused, and what the stacks know of the others."""

import subprocess
import sys
from pathlib import Path

import pytest

from stacks.containers import Reference
from stacks.images import images, released_images
from stacks.reading import read_platform
from stacks.rules import warnings
from stacks.settings import Platform
from stacks.workloads import Workload, in_order_of_use, workloads
from tests.places import ROOT
from tests.stacks.platform_files import PROJECT, environment, errors_of, write_platform

DIGEST = "sha256:" + "a" * 64
WEB = "[services.web]\ndockerfile = 'web/Dockerfile'\n"
ALL = f"""\
[services.web]
dockerfile = "web/Dockerfile"
target = "final"
build_args = {{ FLAVOUR = "plain" }}
port = 8000
health_path = "/health"
uses = ["services.prices"]
environment = {{ LOG_LEVEL = "info", SERVICE = "renamed" }}
env_file = "web.env"
secrets = {{ PASSWORD = "secretsmanager:db#password" }}
before_deploy = ["migrate"]
target_container = "proxy"

[services.web.sidecars.proxy]
dockerfile = "proxy/nginx.Dockerfile"
context = "."
port = 80

[services.web.sidecars.agent]
image = "public.ecr.aws/agent/agent@{DIGEST}"
essential = false

[services.prices]
image = "222222222222.dkr.ecr.eu-west-1.amazonaws.com/other/prices:7@{DIGEST}"
internal = true

[services.worker]
kind = "worker"
same_image_as = "web"
command = ["work"]

[services.cleanup]
kind = "job"
same_image_as = "beat"
schedule = "@daily"

[services.beat]
kind = "worker"
dockerfile = "Dockerfile"

[services.status]
kind = "status"
load_balancer = "own"
"""

REFUSED = {
    "an unknown use": (
        WEB + f"uses = ['services.pricse']\n[services.prices]\nimage = 'p@{DIGEST}'\ninternal = true\n",
        "services.web.uses.0 = \"services.pricse\": another service; did you mean 'services.prices'? ",
    ),
    "a use of a worker": (
        WEB + "uses = ['services.w']\n[services.w]\nkind = 'worker'\nsame_image_as = 'web'\n",
        'services.web.uses.0 = "services.w": a service with kind = "web": it has a port to connect to',
    ),
    "a circle": (
        WEB + "uses = ['services.b']\n[services.b]\nsame_image_as = 'web'\ninternal = true\n"
        "uses = ['services.web']\n",
        "services.web.uses: a circle: web uses b uses web; none of them could be started before the others",
    ),
    "two services for one path": (
        WEB + "path = '/a'\n[services.b]\nsame_image_as = 'web'\npath = '/a'\n",
        'services.b.path = "/a": web answers /a already; give one of them another path or domain, or',
    ),
    "a worker with a domain": (
        "[services.w]\nkind = 'worker'\ndockerfile = 'Dockerfile'\ndomain = 'w.example.com'\n",
        'services.w.domain: only for kind = "web" or kind = "status"; this service has kind = \'worker\'',
    ),
    "a job without a schedule": (
        "[services.j]\nkind = 'job'\ndockerfile = 'Dockerfile'\n",
        'services.j.schedule: is required for kind = "job": when it runs, such as "cron(0 3 * * ? *)"',
    ),
    "a job with a schedule that is none": (
        "[services.j]\nkind = 'job'\ndockerfile = 'Dockerfile'\nschedule = 'daily'\n",
        "services.j.schedule = \"daily\": 'daily' is not a schedule.",
    ),
    "a time zone that is none": (
        "[services.j]\nkind = 'job'\ndockerfile = 'Dockerfile'\nschedule = '@daily'\ntimezone = 'Berlin'\n",
        "services.j.timezone = \"Berlin\": 'Berlin' is not an IANA time zone. Use a name such as",
    ),
    "a permission that AWS does not know": (
        WEB + "permissions = [{ actions = ['s3:GetObjects'], resources = ['*'] }]\n",
        'services.web.permissions.0.actions = "s3:GetObjects": an action of AWS; did you mean ',
    ),
    "a permission of a service that AWS does not have": (
        WEB + "permissions = [{ actions = ['s4:GetObject'], resources = ['*'] }]\n",
        "services.web.permissions.0.actions = \"s4:GetObject\": an action of AWS; 's4' is none of its",
    ),
    "a permission that the boundary refuses": (
        WEB + "permissions = [{ actions = ['iam:CreateRole'], resources = ['*'] }]\n",
        'services.web.permissions.0.actions = "iam:CreateRole": no action of iam: a service that could do it',
    ),
    "a role outside the project": (
        WEB + "permissions = [{ actions = ['sts:AssumeRole'], resources = ['arn:aws:iam::1:role/admin'] }]\n",
        'services.web.permissions.0.resources = ["arn:aws:iam::1:role/admin"]: roles of the project only, ',
    ),
    "an image without a digest": (
        "[services.web]\nimage = 'nginx:1.29'\n",
        'services.web.image = "nginx:1.29": an image by digest, "repository@sha256:" with 64 hexadecimal',
    ),
    "no image": (
        "[services.web]\nport = 80\n",
        "services.web.dockerfile: one of dockerfile, image and same_image_as says which image it runs",
    ),
    "two images": (
        WEB + f"image = 'nginx@{DIGEST}'\n",
        "services.web.image: one of dockerfile, image and same_image_as says which image it runs; there are",
    ),
    "a build of somebody else's image": (
        f"[services.web]\nimage = 'nginx@{DIGEST}'\ntarget = 'final'\n",
        "services.web.target: only with dockerfile: nothing else is built",
    ),
    "the image of nobody": (
        "[services.web]\nsame_image_as = 'api'\n",
        'services.web.same_image_as = "api": a service of dev with an image; nothing is allowed here',
    ),
    "the image of one that has none itself": (
        WEB + "[services.b]\nkind = 'worker'\nsame_image_as = 'web'\n"
        "[services.c]\nkind = 'worker'\nsame_image_as = 'b'\n",
        "services.c.same_image_as = \"b\": a service that has the image itself, such as 'web'",
    ),
    "the image for another processor": (
        WEB + "[services.b]\nkind = 'worker'\nsame_image_as = 'web'\narchitecture = 'arm64'\n",
        "services.b.architecture = \"arm64\": 'x86_64' like web, whose image it runs",
    ),
    "requests for a container that is not there": (
        WEB + "target_container = 'nginx'\n",
        'services.web.target_container = "nginx": the name of a sidecar; nothing is allowed here',
    ),
    "requests for a container without a port": (
        WEB + f"target_container = 'p'\n[services.web.sidecars.p]\nimage = 'p@{DIGEST}'\n",
        "services.web.sidecars.p.port: is required: requests go to this container",
    ),
    "one port for two containers": (
        WEB + f"[services.web.sidecars.p]\nimage = 'p@{DIGEST}'\nport = 8080\n",
        "services.web.sidecars.p.port = 8080: another port: the containers of a task share them",
    ),
    "a path of an internal service": (
        WEB + "internal = true\npath = '/a'\n",
        "services.web.path: has no effect: with internal = true no load balancer sends requests",
    ),
    "scaling by requests that nobody counts": (
        WEB + "internal = true\nscaling = { requests_per_target = 10 }\n",
        "services.web.scaling.requests_per_target = 10: only for a service behind a load balancer",
    ),
    "fewer tasks at night than at most": (
        WEB + "[[services.web.scaling.schedule]]\nat = '@daily'\nmin_capacity = 2\nmax_capacity = 1\n",
        "services.web.scaling.schedule.0.min_capacity = 2: at most max_capacity = 1",
    ),
    "a port of the status app": (
        "[services.s]\nkind = 'status'\nport = 80\n",
        "services.s.port: only for kind = \"web\"; this service has kind = 'status'",
    ),
    "a path that is no beginning of one": (
        WEB + "path = '/a/'\n",
        'services.web.path = "/a/": a path without a slash at its end and without empty parts',
    ),
    "a domain where the load balancer has none": (
        WEB + "domain = 'web.example.com'\nhosted_zone = 'example.com'\n",
        'services.web.domain = "web.example.com": the load balancer needs a domain, too, whose certificate',
    ),
    "a file of variables that is not there": (
        WEB + "env_file = 'missing.env'\n",
        'services.web.env_file = "missing.env": cannot be read: No such file or directory',
    ),
    "a variable that is a secret, too": (
        WEB + "environment = { KEY = 'a' }\nsecrets = { KEY = 'ssm:/key' }\n",
        "services.web.environment.KEY: leave it out: a secret gives the container this variable",
    ),
    "a variable without a value": (
        WEB + "environment = { KEY = '' }\n",
        'services.web.environment.KEY = "": not empty: AWS drops such a variable, and every plan',
    ),
    "one time twice": (
        WEB + "[services.web.scaling]\nschedule = [{ at = '@daily', min_capacity = 1, max_capacity = 1 }, "
        "{ at = '0 0 * * *', min_capacity = 0, max_capacity = 0 }]\n",
        'services.web.scaling.schedule.1.at = "0 0 * * *": another time: this one is there already',
    ),
    "a sidecar that is called like its service": (
        WEB + f"[services.web.sidecars.web]\nimage = 'p@{DIGEST}'\n",
        "services.web.sidecars.web: another name: the service's own container is called 'web'",
    ),
    "a service that is called like a task before a deployment": (
        WEB + "before_deploy = ['x']\n[services.web-before-deploy]\nkind = 'worker'\nsame_image_as = 'web'\n",
        "services.web-before-deploy: another name: a task that runs before web has it",
    ),
    "an egress that is there": (
        WEB + "egress = [{ port = 443, cidr = '0.0.0.0/0' }]\n",
        "services.web.egress.0: leave it out: tasks reach every HTTPS port already",
    ),
    "one domain at two load balancers": (
        WEB + "load_balancer = 'own'\ndomain = 'a.example.com'\n[services.b]\nsame_image_as = 'web'\n"
        "[load_balancer]\ndomain = 'a.example.com'\nhosted_zone = 'example.com'\n",
        'services.web.domain = "a.example.com": a domain of its own: another load balancer has it',
    ),
    "an ARN that is none": (
        WEB + "permissions = [{ actions = ['s3:GetObject'], resources = ['arn:aws:s3'] }]\n",
        'services.web.permissions.0.resources.0 = "arn:aws:s3": an ARN, such as "arn:aws:s3:::bucket/*"',
    ),
    "a file of variables with another line": (
        WEB + "env_file = 'wrong.env'\n",
        'services.web.env_file = "wrong.env": a file with NAME=value on each line, which line 2 has not',
    ),
    "a file of variables with a name that is none": (
        WEB + "env_file = 'names.env'\n",
        'services.web.env_file = "names.env": line 3: LOG-LEVEL: a variable\'s name: letters, digits and _, ',
    ),
    "a file of variables with one that has no value": (
        WEB + "env_file = 'empty.env'\n",
        'services.web.env_file = "empty.env": line 2: KEY: not empty: AWS drops such a variable, and every',
    ),
    "a file of variables with a secret": (
        WEB + "env_file = 'secret.env'\nsecrets = { KEY = 'ssm:/key' }\n",
        'services.web.env_file = "secret.env": line 1: KEY: leave it out: a secret gives the container this',
    ),
    "a name that is the load balancer's": (
        "[services.balancer]\ndockerfile = 'Dockerfile'\n",
        "services.balancer: a service cannot be called 'balancer'",
    ),
    "a limit of requests that WAF does not have": (
        WEB + "[load_balancer]\nwaf = { rate_limit = 5 }\n",
        "load_balancer.waf.rate_limit = 5: at least 10, or 0 for no limit",
    ),
}


FILES = {
    "wrong.env": "GOOD=1\nno line\n",
    "names.env": "# of web\nGOOD=1\nLOG-LEVEL=debug\n",
    "empty.env": "GOOD=1\nKEY=\n",
    "secret.env": "KEY=1\n",
}
"""Files of variables that a case may name."""


@pytest.mark.parametrize("case", REFUSED)
def test_a_service_that_cannot_be_is_refused_with_key_and_reason(tmp_path: Path, case: str) -> None:
    services, told = REFUSED[case]
    write_platform(tmp_path, dev=environment(services=services))
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    (error,) = errors_of(tmp_path)
    assert error.startswith(f"dev.toml: {told}")


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Platform:
    """A platform with a service of every kind."""
    directory = tmp_path_factory.mktemp("all")
    services = ALL
    write_platform(directory, PROJECT, dev=environment(services=services))
    (directory / "web.env").write_text("# of web\nLOG_LEVEL=debug\nexport GREETING='good day'\n")
    return read_platform(directory)


@pytest.fixture(scope="module")
def by_key(platform: Platform) -> dict[str, Workload]:
    """Its workloads, by service."""
    return {each.key: each for each in workloads(platform.project, platform.environments["dev"])}


def test_a_container_has_the_variables_of_settings_file_and_platform(by_key: dict[str, Workload]) -> None:
    assert dict(by_key["web"].main.variables) == {
        "AWS_REGION": "eu-central-1",
        "COMMIT": Reference.COMMIT,
        "ENVIRONMENT": "dev",
        "GREETING": "good day",
        "IMAGE": Reference.IMAGE,
        "LOG_LEVEL": "info",
        "PORT": "8000",
        "PRICES_URL": "http://prices.dev.oaktree.internal:8080",
        "SERVICE": "renamed",
    }
    assert by_key["web"].target.variables["PORT"] == "80"
    # Nobody records a release of somebody else's image.
    assert "COMMIT" not in by_key["prices"].main.variables


def test_requests_go_to_the_container_that_is_named(by_key: dict[str, Workload]) -> None:
    assert (by_key["web"].target.name, by_key["web"].port) == ("proxy", 80)
    assert (by_key["prices"].target.name, by_key["prices"].port) == ("prices", 8080)
    with pytest.raises(ValueError, match="worker listens on no port"):
        _ = by_key["worker"].port


def test_an_image_is_built_once_and_belongs_to_its_owner(platform: Platform) -> None:
    built = {image.name: image for image in images(platform.environments["dev"])}
    assert list(built) == ["web", "web.proxy", "beat", "status"]
    assert (built["web"].context, built["web"].target) == ("web", "final")
    assert dict(built["web"].build_args) == {"FLAVOUR": "plain"}
    assert (built["web.proxy"].dockerfile, built["web.proxy"].context) == ("proxy/nginx.Dockerfile", ".")
    assert released_images(platform) == {
        "beat": ("beat", "cleanup"),
        "status": ("status",),
        "web": ("web", "worker"),
        "web.proxy": ("web",),
    }


def test_each_service_comes_after_those_it_uses(platform: Platform) -> None:
    dev = platform.environments["dev"]
    order = in_order_of_use(dev)
    assert sorted(order) == sorted(dev.services)
    assert order.index("prices") < order.index("web")


def test_the_images_of_a_task_come_from_its_repositories_and_those_of_others_in_ecr(
    by_key: dict[str, Workload],
) -> None:
    own = "arn:aws:ecr:eu-central-1:111111111111:repository/oaktree"
    assert by_key["web"].repository_arns == [f"{own}/web", f"{own}/web.proxy"]
    assert by_key["prices"].repository_arns == ["arn:aws:ecr:eu-west-1:222222222222:repository/other/prices"]
    assert by_key["worker"].repository_arns == [f"{own}/web"]


def test_what_runs_before_a_deployment_is_the_new_image_with_another_command(
    by_key: dict[str, Workload],
) -> None:
    before, main = by_key["web"].before_deploy, by_key["web"].main
    assert (before.command, before.port, before.health) == (("migrate",), None, None)
    assert (before.release, before.variables, before.secrets) == (main.release, main.variables, main.secrets)


def test_the_list_of_aws_actions_is_loaded_only_for_permissions(tmp_path: Path) -> None:
    """It takes as long to load as all settings together."""
    program = "import sys; from stacks.reading import read_platform as r; from pathlib import Path as P; "
    program += "r(P(sys.argv[1])); print('policy_sentry' in sys.modules)"
    permissions = "permissions = [{ actions = ['s3:Get*'], resources = ['*'] }]\n"
    for name, services, loaded in (("without", WEB, "False"), ("with", WEB + permissions, "True")):
        directory = write_platform(tmp_path / name, dev=environment(services=services))
        done = subprocess.run(
            (sys.executable, "-c", program, directory), capture_output=True, text=True, check=True, cwd=ROOT
        )
        assert done.stdout.strip() == loaded


def test_what_only_the_status_app_reaches_is_warned_of_in_these_words(tmp_path: Path) -> None:
    services = WEB + "[services.prices]\nsame_image_as = 'web'\ninternal = true\n"
    services += "[services.status]\nkind = 'status'\nload_balancer = 'own'\n"
    platform = read_platform(write_platform(tmp_path, dev=environment(services=services)))
    assert [str(warning) for warning in warnings(platform)] == [
        (
            "dev.toml: services.prices.internal = true: only the status app can reach prices in dev: no "
            "service has it in its uses"
        ),
    ]


def test_what_nobody_can_reach_and_what_runs_as_root_is_warned_of(tmp_path: Path) -> None:
    services = WEB + "user = 'root'\n[services.prices]\nsame_image_as = 'web'\ninternal = true\n"
    services += f"[services.prices.sidecars.p]\nimage = 'p@{DIGEST}'\nuser = '0:0'\n"
    platform = read_platform(write_platform(tmp_path, dev=environment(services=services)))
    assert [str(warning) for warning in warnings(platform)] == [
        'dev.toml: services.web.user = "root": web runs as root in dev',
        (
            "dev.toml: services.prices.internal = true: nobody can reach prices in dev: no service has it in "
            "its uses"
        ),
        'dev.toml: services.prices.sidecars.p.user = "0:0": p runs as root in dev',
    ]
