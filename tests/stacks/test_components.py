"""What the status app watches, as the settings say it: rows, groups, probes, resources and schedules."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks import components, rules, schedules, stores
from stacks.containers import Addressed
from stacks.reading import read_platform
from stacks.service_settings import Service
from stacks.settings import Environment, Project
from stacks.status_app import Calendar, Component, Interval, Resource
from stacks.workloads import in_order_of_use, workload
from tests.stacks.platform_files import TAIL, errors_of, write_platform
from tests.stacks.test_schedules import aws_crons

SHOP = """
[services.status]
kind = "status"
load_balancer = "own"

[services.web]
dockerfile = "shop/Dockerfile"
health_path = "/health"
health_status = "200"
uses = ["databases.shop", "queues.orders:write"]
row = { title = "Web shop", group = "Shop", slow_after = 800 }

[services.prices]
dockerfile = "prices/Dockerfile"
internal = true
port = 8081

[services.worker]
kind = "worker"
same_image_as = "web"
uses = ["queues.orders:read"]

[services.cleanup]
kind = "job"
same_image_as = "web"
schedule = "cron(0 3 ? * MON-FRI *)"
timezone = "Europe/Berlin"
timeout = 100

[databases.shop]
[databases.old]
existing = true
name = "legacy"
[caches.sessions]
[queues.orders]
row = { public = false }
[queues.legacy]
existing = true
name = "legacy-orders"
[topics.events]
[buckets.uploads]
[tables.visits]
[volumes.media]
path = "/media"
"""

NETWORK = 'network = { cidr = "10.10.0.0/16" }\n'
WITHOUT_NAT = (
    'network = { cidr = "10.10.0.0/16", nat = "none", endpoints = ["ecr.api", "ecr.dkr", "logs"] }\n'
)


def read(directory: Path, text: str = SHOP, network: str = NETWORK) -> tuple[Project, Environment]:
    platform = read_platform(write_platform(directory, dev=f"{TAIL}{network}{text}"))
    return platform.project, platform.environments["dev"]


def watched(directory: Path, text: str = SHOP) -> dict[str, Component]:
    project, dev = read(directory, text)
    return {each.id: each for each in components.components(project, dev, "status")}


def test_everything_of_an_environment_has_a_row_in_its_group(tmp_path: Path) -> None:
    rows = [(each.id, each.name, each.group, each.public) for each in watched(tmp_path).values()]
    assert rows == [
        ("services.status", "This page", "Services", True),
        ("services.prices", "Prices", "Services", True),
        ("services.worker", "Worker", "Services", True),
        ("services.cleanup", "Cleanup", "Jobs", True),
        ("databases.shop", "Shop database", "Data", True),
        ("databases.old", "Old database", "Data", True),
        ("caches.sessions", "Sessions cache", "Data", True),
        ("queues.orders", "Orders queue", "Data", False),
        ("queues.legacy", "Legacy queue", "Data", True),
        ("topics.events", "Events topic", "Data", True),
        ("buckets.uploads", "Uploads bucket", "Data", True),
        ("tables.visits", "Visits table", "Data", True),
        ("volumes.media", "Media volume", "Data", True),
        ("services.web", "Web shop", "Shop", True),
        ("status.table", "History", "Status page", False),
        ("status.image", "Image", "Status page", False),
        ("status.alarms", "Alarms", "Status page", False),
    ]


def test_groups_come_in_the_order_that_the_page_asks_for(tmp_path: Path) -> None:
    page = '[services.status.page]\ngroups = ["Shop", "Data"]\n'
    groups = [each.group for each in watched(tmp_path, SHOP + page).values()]
    assert list(dict.fromkeys(groups)) == ["Shop", "Data", "Services", "Jobs", "Status page"]


def test_each_is_known_by_what_its_check_asks_for(tmp_path: Path) -> None:
    found = watched(tmp_path)
    queues = "https://sqs.eu-central-1.amazonaws.com/111111111111"
    assert {key: each.resource for key, each in found.items()} == {
        "services.status": "oaktree-dev-status",
        "services.prices": "oaktree-dev-prices",
        "services.worker": "oaktree-dev-worker",
        "services.cleanup": "arn:aws:states:eu-central-1:111111111111:stateMachine:oaktree-dev-cleanup",
        "services.web": "oaktree-dev-web",
        "databases.shop": "oaktree-dev-shop",
        "databases.old": "legacy",
        "caches.sessions": "oaktree-dev-sessions",
        "queues.orders": f"{queues}/oaktree-dev-orders",
        "queues.legacy": f"{queues}/legacy-orders",
        "topics.events": "arn:aws:sns:eu-central-1:111111111111:oaktree-dev-events",
        "buckets.uploads": "oaktree-dev-uploads-111111111111",
        "tables.visits": "oaktree-dev-visits",
        "volumes.media": "oaktree-dev-media",
        "status.table": "oaktree-dev-status",
        "status.image": "image",
        "status.alarms": "oaktree-dev",
    }
    assert found["services.worker"].queue == found["queues.orders"].resource
    assert found["queues.orders"].dead_letters == f"{queues}/oaktree-dev-orders-dlq"
    assert found["queues.legacy"].dead_letters is None
    assert (found["services.web"].statuses, found["services.web"].slow_after) == ("200", 800)
    assert (found["services.prices"].statuses, found["services.status"].statuses) == ("200-499", "200")


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ("", "http://<balancer>/health"),
        ('load_balancer = "own"', "http://<balancer web>/health"),
        ('path = "/shop"', "http://<balancer>/shop"),
        ('path = "/health"', "http://<balancer>/health"),
        ('allowed_cidrs = ["0.0.0.0/0", "10.0.0.0/8"]', "http://<balancer>/health"),
        ('allowed_cidrs = ["203.0.113.0/24"]', None),
    ],
)
def test_a_service_that_admits_everybody_is_asked_through_its_load_balancer(
    tmp_path: Path, settings: str, url: str | None
) -> None:
    text = SHOP.replace('health_path = "/health"', f'health_path = "/health"\n{settings}')
    found = components.probes(*read(tmp_path, text)).get("services.web")
    assert (found.url if found else None) == url


def test_a_service_with_a_domain_is_asked_over_https(tmp_path: Path) -> None:
    balancer = 'load_balancer = { domain = "shop.example.com", hosted_zone = "example.com" }\n'
    found = components.probes(*read(tmp_path, SHOP, NETWORK + balancer))
    assert found["services.web"].url == "https://shop.example.com/health"


def test_nobody_is_asked_through_a_load_balancer_without_a_way_to_the_internet(tmp_path: Path) -> None:
    project, dev = read(tmp_path, SHOP, WITHOUT_NAT)
    assert {key: each.url for key, each in components.probes(project, dev).items()} == {
        "services.prices": "http://prices.dev.oaktree.internal:8081/"
    }
    assert not components.probes_plain_http(dev)


def test_an_internal_service_is_asked_for_its_health_path_if_it_names_one(tmp_path: Path) -> None:
    text = SHOP.replace("port = 8081", 'port = 8081\nhealth_path = "/alive"\nhealth_status = "204"')
    found = components.probes(*read(tmp_path, text))["services.prices"]
    assert (found.url, found.statuses) == ("http://prices.dev.oaktree.internal:8081/alive", "204")


def test_the_app_is_told_all_of_it(tmp_path: Path) -> None:
    page = """
[services.status.page]
title = "Example Shop"
logo = "https://www.example.com/logo.svg"
links = [{ name = "Help", url = "https://help.example.com" }]
operator_view = "off"
failure_threshold = 3
"""
    project, dev = read(tmp_path, SHOP + page)
    variables = workload(project, dev, "status").main.variables
    assert variables["TITLE"] == "Example Shop"
    assert variables["LOGO_URL"] == "https://www.example.com/logo.svg"
    assert json.loads(str(variables["LINKS"])) == [{"name": "Help", "url": "https://help.example.com"}]
    assert (variables["OPERATOR_VIEW"], variables["FAILURE_THRESHOLD"]) == ("off", "3")
    told = json.loads(str(variables["COMPONENTS"]))
    assert [each["id"] for each in told] == list(watched(tmp_path, SHOP + page))
    assert told[1] == {
        "id": "services.prices",
        "kind": "web",
        "name": "Prices",
        "group": "Services",
        "resource": "oaktree-dev-prices",
        "statuses": "200-499",
    }
    probes = variables["PROBES"]
    assert isinstance(probes, Addressed)
    assert json.loads(probes.text).keys() == {"services.status", "services.web", "services.prices"}
    assert probes.balancers == {"": "<balancer>", "status": "<balancer status>"}


def test_a_page_without_a_logo_has_no_empty_variable(tmp_path: Path) -> None:
    variables = workload(*read(tmp_path), "status").main.variables
    assert "LOGO_URL" not in variables
    assert all(variables.values())


def test_the_status_app_calls_internal_services_and_comes_last(tmp_path: Path) -> None:
    project, dev = read(tmp_path)
    assert workload(project, dev, "status").called == ("prices",)
    assert workload(project, dev, "status").calls_plain_http
    assert not workload(project, dev, "web").calls_plain_http
    assert in_order_of_use(dev)[-1] == "status"


def test_the_resources_are_those_of_the_environment_and_no_others(tmp_path: Path) -> None:
    project, dev = read(tmp_path)
    found = components.resources(project, dev, "status")
    assert set(found) == set(Resource)
    here = "eu-central-1:111111111111"
    assert found[Resource.QUEUES] == (
        f"arn:aws:sqs:{here}:oaktree-dev-*",
        f"arn:aws:sqs:{here}:legacy-orders",
    )
    assert found[Resource.STATE_MACHINES] == (f"arn:aws:states:{here}:stateMachine:oaktree-dev-*",)
    assert found[Resource.BUCKETS] == ("arn:aws:s3:::oaktree-dev-*-111111111111",)
    alone = components.resources(*read(tmp_path, '[services.status]\nkind = "status"\n'), "status")
    empty = {kind for kind, arns in alone.items() if not arns}
    stored = {resource for _, _, resource in components.STORES.values()}
    assert empty == {*stored, Resource.STATE_MACHINES}


def test_stores_that_were_there_before_are_named_in_the_boundary(tmp_path: Path) -> None:
    arns = {arn for each in components.about_existing(*read(tmp_path)) for arn in each.resources}
    assert arns == {
        "arn:aws:rds:eu-central-1:111111111111:db:legacy",
        "arn:aws:sqs:eu-central-1:111111111111:legacy-orders",
    }


def test_without_nat_the_app_has_an_endpoint_for_each_service_of_aws_that_it_calls(tmp_path: Path) -> None:
    _, dev = read(tmp_path, SHOP, WITHOUT_NAT)
    derived = set(stores.needed_endpoints(dev))
    assert derived == {
        *("ecr.api", "ecs", "elasticache", "elasticfilesystem", "elasticloadbalancing", "monitoring"),
        *("rds", "secretsmanager", "sns", "sqs", "states"),
    }
    _, alone = read(tmp_path, '[services.status]\nkind = "status"\n', WITHOUT_NAT)
    assert set(stores.needed_endpoints(alone)) == {"ecr.api", "ecs", "elasticloadbalancing", "monitoring"}
    _, shop = read(tmp_path, SHOP.replace('kind = "status"', 'dockerfile = "x/Dockerfile"'), WITHOUT_NAT)
    assert set(stores.needed_endpoints(shop)) == {"secretsmanager", "sqs"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            SHOP.replace('kind = "worker"', 'kind = "worker"\nrow = { slow_after = 10 }'),
            'dev.toml: services.worker.row.slow_after = 10: only for kind = "web" or ',
        ),
        (
            SHOP.replace("slow_after = 800", "slow_after = 0"),
            "dev.toml: services.web.row.slow_after = 0: ",
        ),
        (
            SHOP.replace('title = "Web shop"', 'name = "Web shop"'),
            "dev.toml: services.web.row.name: unknown key; ",
        ),
        (
            SHOP.replace("public = false", "slow_after = 5"),
            "dev.toml: queues.orders.row.slow_after: unknown key",
        ),
        (
            SHOP.replace("internal = true", 'internal = true\npage = { title = "x" }'),
            'dev.toml: services.prices.page: only for kind = "status"',
        ),
        (
            f'{SHOP}[services.status.page]\nlogo = "http://example.com/logo.svg"\n',
            'dev.toml: services.status.page.logo = "http://example.com/logo.svg": an address such as ',
        ),
    ],
)
def test_what_a_row_or_page_cannot_be_is_refused(tmp_path: Path, text: str, told: str) -> None:
    (error,) = errors_of(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{text}"))
    assert error.startswith(told), error


def test_a_group_without_rows_is_warned_about(tmp_path: Path) -> None:
    page = '[services.status.page]\ngroups = ["Shop", "Shops"]\n'
    platform = read_platform(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{SHOP}{page}"))
    (told,) = [str(each) for each in rules.warnings(platform) if "group" in str(each)]
    assert told == (
        'dev.toml: services.status.page.groups.1 = "Shops": no row of dev is in this group; did you mean '
        "'Shop'? known here: Data, Jobs, Services, Shop, Status page"
    )


def test_an_environment_without_a_status_app_calls_nothing(tmp_path: Path) -> None:
    _, dev = read(tmp_path, '[services.web]\ndockerfile = "x/Dockerfile"\n')
    assert components.called(dev) == frozenset()


def job(schedule: str, zone: str = "Etc/UTC") -> Service:
    return Service(kind="job", schedule=schedule, timezone=zone)


def test_what_the_settings_do_by_intent_is_told_to_the_checks(tmp_path: Path) -> None:
    found = watched(tmp_path / "without")
    (a_job,) = (each for each in found.values() if each.schedule)
    assert (a_job.overlaps, found["services.web"].rests) == (False, False)
    at_night = "scaling.schedule = [{ at = '@daily', min_capacity = 0, max_capacity = 0 }]"
    text = SHOP.replace('kind = "job"', 'kind = "job"\noverlap = true')
    text = text.replace("slow_after = 800 }", f"slow_after = 800 }}\n{at_night}")
    found = watched(tmp_path / "with", text)
    assert (found[a_job.id].overlaps, found["services.web"].rests) == (True, True)


def test_a_rate_is_an_interval() -> None:
    assert components.schedule_of(job("rate(2 hours)")) == Interval(seconds=7200)
    assert components.schedule_of(Service(kind="worker")) is None


def test_what_always_holds_is_left_out_of_a_schedule() -> None:
    assert components.schedule_of(job("* * * * *")) == Calendar(timezone="Etc/UTC")
    assert components.schedule_of(job("cron(30 3 ? * 2-6 *)", "Europe/Berlin")) == Calendar(
        timezone="Europe/Berlin", minutes=(30,), hours=(3,), weekdays=(1, 2, 3, 4, 5)
    )


@given(
    written=aws_crons(),
    zone=st.sampled_from(["Etc/UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
    after=st.integers(1_700_000_000, 2_200_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
)
def test_the_app_and_the_platform_agree_when_a_job_runs_next(
    written: str, zone: str, after: datetime
) -> None:
    try:
        parsed = schedules.parse(written)
    except ValueError:
        return  # a day that never comes
    runs = schedules.next_runs(parsed, schedules.time_zone(zone), after, 3, after)
    calendar = components.schedule_of(job(written, zone))
    assert isinstance(calendar, Calendar)
    moment = after
    for run in (each.astimezone(UTC) for each in runs):
        found = calendar.next_run(moment)
        assert found == run
        moment = run
