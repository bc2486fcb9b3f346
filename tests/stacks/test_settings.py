"""The settings files: what they may say, and what a person is told when they cannot be used."""

import re
import tomllib
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from stacks.alarm_settings import Alarms, Slack, Teams, Thresholds
from stacks.fargate import MEMORY_BY_CPU
from stacks.page_settings import Link, Page, Row, ServiceRow
from stacks.problems import Problem
from stacks.reading import SettingsError, read_platform
from stacks.service_settings import (
    Container,
    ContainerHealth,
    Egress,
    HealthCheck,
    Local,
    Permission,
    Scaling,
    ScheduledScaling,
    Service,
    Sidecar,
)
from stacks.settings import (
    Data,
    Environment,
    ExistingNetwork,
    LoadBalancer,
    Logs,
    Network,
    Platform,
    Project,
    Waf,
)
from stacks.store_settings import (
    Bucket,
    Cache,
    Cors,
    Database,
    Index,
    KeyValueTable,
    Notification,
    Queue,
    Subscription,
    Topic,
    Volume,
)
from tests.places import ENVIRONMENTS, ROOT
from tests.stacks.platform_files import (
    NETWORK,
    PROJECT,
    SERVICE,
    TAIL,
    environment,
    errors_of,
    write_platform,
)
from webapp.contract import HEARTBEAT


def errors_with(tmp_path: Path, dev: str) -> list[str]:
    return errors_of(write_platform(tmp_path, dev=dev))


def read(tmp_path: Path, **environments: str) -> Platform:
    return read_platform(write_platform(tmp_path, **environments))


def test_each_file_is_an_environment_and_each_account_is_named_once() -> None:
    platform = read_platform(ENVIRONMENTS)
    assert list(platform.environments) == ["dev", "prod", "staging"]
    assert platform.account_ids() == ("111111111111", "222222222222")


def test_a_development_environment_needs_under_ten_lines() -> None:
    assert len((ENVIRONMENTS / "dev.toml").read_text().strip().splitlines()) < 10


def test_what_is_not_said_has_a_default(tmp_path: Path) -> None:
    dev = read(tmp_path, dev=environment()).environments["dev"]
    assert dev.network.cidr == IPv4Network("10.10.0.0/16")
    assert dev.network.availability_zones == ("a", "b")
    assert dev.network.nat == "single"
    assert (dev.services["web"].cpu, dev.services["web"].memory) == (256, 512)
    assert dev.data.point_in_time_recovery
    assert not dev.protected


def test_settings_cannot_be_changed(tmp_path: Path) -> None:
    dev = read(tmp_path, dev=environment()).environments["dev"]
    with pytest.raises(ValueError, match="frozen"):
        dev.network.nat = "none"
    with pytest.raises(TypeError):
        dev.services["api"] = dev.services["web"]  # type: ignore[index]  # mypy refuses it; the test is that Python does


WITHOUT_NAT = """\
[network]
cidr = "10.10.0.0/16"
nat = "none"
endpoints = ["ecr.api", "ecr.dkr", "ecs", "logs", "monitoring", "sts"]
"""

BAD = {
    "unknown key at the top": (
        environment(top='ower = "x"\n'),
        (
            "dev.toml: ower: unknown key; did you mean 'owner'? known here: account_id, alarms, "
            "bake_minutes, buckets, caches, cost_centre, data, databases, load_balancer, logs, network, "
            "owner, protected, queues, region, services, tables, topics, volumes"
        ),
    ),
    "unknown key in a table": (
        environment(services="[services.web]\nkind = 'status'\nmemroy = 512\n"),
        "dev.toml: services.web.memroy: unknown key; did you mean 'memory'? known here: allowed_cidrs, ",
    ),
    "the name, which the file has": (
        environment(top='name = "dev"\n'),
        'dev.toml: name = "dev": comes from the file\'s name',
    ),
    "an account id that is a number": (
        environment().replace('"111111111111"', "111111111111"),
        'dev.toml: account_id = 111111111111: must be text in quotes: "111111111111"',
    ),
    "an account id too short": (
        environment().replace('"111111111111"', '"1111"'),
        'dev.toml: account_id = "1111": an AWS account id: twelve digits, in quotes',
    ),
    "no services": (
        environment(services=""),
        "dev.toml: services: is required: at least one service, such as [services.web]",
    ),
    "a CIDR that is none": (
        environment(network='network = { cidr = "10.10.0.0/33" }\n'),
        'dev.toml: network.cidr = "10.10.0.0/33": an IPv4 CIDR such as "10.0.0.0/16"',
    ),
    "a CIDR with host bits": (
        environment(network='network = { cidr = "10.10.0.1/16" }\n'),
        (
            'dev.toml: network.cidr = "10.10.0.1/16": an IPv4 CIDR such as "10.0.0.0/16"; the network of '
            'that address is "10.10.0.0/16"'
        ),
    ),
    "a CIDR larger than a VPC": (
        environment(network='network = { cidr = "10.0.0.0/8" }\n'),
        'dev.toml: network.cidr = "10.0.0.0/8": a VPC is a /16 or smaller',
    ),
    "a CIDR too small for its zones": (
        environment(network='network = { cidr = "10.10.0.0/25" }\n'),
        'dev.toml: network.availability_zones = ["a", "b"]: do not fit cidr = 10.10.0.0/25: ',
    ),
    "a zone without a slot": (
        environment(network='network = { cidr = "10.10.0.0/16", availability_zones = ["a", "f"] }\n'),
        'dev.toml: network.availability_zones = ["a", "f"]: do not fit cidr = 10.10.0.0/16: zone \'f\' has',
    ),
    "one zone": (
        environment(network='network = { cidr = "10.10.0.0/16", availability_zones = ["a"] }\n'),
        'dev.toml: network.availability_zones = ["a"]: at least 2 zones',
    ),
    "a zone twice": (
        environment(network='network = { cidr = "10.10.0.0/16", availability_zones = ["a", "a"] }\n'),
        'dev.toml: network.availability_zones = ["a", "a"]: each value once',
    ),
    "a zone by its full name": (
        environment(
            network='network = { cidr = "10.10.0.0/16", availability_zones = ["eu-central-1a", "b"] }\n'
        ),
        'dev.toml: network.availability_zones.0 = "eu-central-1a": a zone\'s letter, such as "a"',
    ),
    "an unknown kind of NAT": (
        environment(network='network = { cidr = "10.10.0.0/16", nat = "double" }\n'),
        'dev.toml: network.nat = "double": must be "none", "single" or "per-zone"',
    ),
    "no NAT and no way to AWS": (
        environment(network='network = { cidr = "10.10.0.0/16", nat = "none", endpoints = ["logs"] }\n'),
        (
            "dev.toml: network.nat = \"none\": tasks of 'web' would have no way to ecr.dkr; "
            "add it to network.endpoints or choose another nat"
        ),
    ),
    "no NAT and no way to the secrets": (
        environment(
            network=WITHOUT_NAT,
            services="[services.web]\nkind = 'status'\ntoken_over_http = true\n"
            'secrets = { WRITE_TOKEN_SHA256 = "secretsmanager:token" }\n',
        ),
        "dev.toml: network.nat = \"none\": tasks of 'web' would have no way to secretsmanager; add it to",
    ),
    "an endpoint that does not exist": (
        environment(network='network = { cidr = "10.10.0.0/16", endpoints = ["cloudwatch-logs"] }\n'),
        'dev.toml: network.endpoints.0 = "cloudwatch-logs": the name of an interface endpoint, such as ',
    ),
    "an endpoint that is there anyway": (
        environment(network='network = { cidr = "10.10.0.0/16", endpoints = ["s3"] }\n'),
        'dev.toml: network.endpoints.0 = "s3": leave it out: every VPC has its gateway endpoint',
    ),
    "no NAT and no way to exec": (
        environment(
            network=WITHOUT_NAT,
            services="[services.web]\nkind = 'status'\nexec = true\nread_only_root = false\n",
        ),
        "dev.toml: network.nat = \"none\": tasks of 'web' would have no way to ssmmessages; add it to",
    ),
    "CPU that Fargate does not sell": (
        environment(services="[services.web]\nkind = 'status'\ncpu = 300\n"),
        "dev.toml: services.web.cpu = 300: Fargate does not sell this; one of 256, 512, 1024, 2048, 4096, ",
    ),
    "memory that Fargate does not sell with the CPU": (
        environment(services="[services.web]\nkind = 'status'\ncpu = 1024\nmemory = 512\n"),
        "dev.toml: services.web.memory = 512: Fargate does not sell this; with cpu = 1024 one of 2048, ",
    ),
    "a service's name in capitals": (
        environment(services="[services.Web]\nkind = 'status'\n"),
        "dev.toml: services.Web: lower-case letters, digits and single hyphens",
    ),
    "a name over the limit of load balancers": (
        environment(
            services="[services.a-service-of-our-own-kind]\nkind = 'status'\nload_balancer = 'own'\n"
        ),
        "dev.toml: services.a-service-of-our-own-kind: the load balancer would be called 'oaktree-dev-a-serv",
    ),
    "fewest tasks above most": (
        environment(services=f"{SERVICE}[services.web.scaling]\nmin_capacity = 5\nmax_capacity = 2\n"),
        "dev.toml: services.web.scaling.min_capacity = 5: at most max_capacity = 2",
    ),
    "keep-alive shorter than the idle timeout": (
        environment(services="[services.web]\nkind = 'status'\nkeep_alive = 60\n"),
        "dev.toml: services.web.keep_alive = 60: more than load_balancer.idle_timeout = 60, or the load ",
    ),
    "an idle timeout that would end event streams": (
        environment(services=f"{SERVICE}[load_balancer]\nidle_timeout = 15\n"),
        "dev.toml: load_balancer.idle_timeout = 15: more than 15, or it ends the event streams of 'web'",
    ),
    "a health check that takes longer than its interval": (
        environment(services=f"{SERVICE}[services.web.health_check]\ninterval = 5\ntimeout = 5\n"),
        "dev.toml: services.web.health_check.timeout = 5: less than interval = 5",
    ),
    "exec with a read-only root without its mounts": (
        environment(services=f'{SERVICE}exec = true\nwritable_paths = ["/var/lib/amazon/ssm"]\n'),
        (
            "dev.toml: services.web.exec = true: needs mounts while read_only_root is set; "
            'add writable_paths = ["/var/lib/amazon/ssm", "/managed-agents", "/var/log/amazon/ssm"]'
        ),
    ),
    "a domain without a zone": (
        environment(services=f'{SERVICE}domain = "www.example.com"\nload_balancer = "own"\n'),
        "dev.toml: services.web.hosted_zone: is required with domain: the public Route 53 zone of www.exa",
    ),
    "a domain outside its zone": (
        environment(
            services=f'{SERVICE}domain = "badexample.com"\nhosted_zone = "example.com"\n'
            'load_balancer = "own"\n'
        ),
        "dev.toml: services.web.domain = \"badexample.com\": within hosted_zone = 'example.com'",
    ),
    "a secret that the app does not have": (
        environment(services=f'{SERVICE}[services.web.secrets]\nWRITE_TOKEN = "ssm:/a"\n'),
        "dev.toml: services.web.secrets.WRITE_TOKEN: the app has no such secret; did you mean 'WRITE",
    ),
    "a token that is sent without TLS": (
        environment(services=f'{SERVICE}[services.web.secrets]\nWRITE_TOKEN_SHA256 = "ssm:/a"\n'),
        "dev.toml: services.web.secrets.WRITE_TOKEN_SHA256: clients would send the token over plain HTTP",
    ),
    "retention that CloudWatch does not have": (
        environment(services="[services.web]\nkind = 'status'\n[logs]\nretention_days = 31\n"),
        "dev.toml: logs.retention_days = 31: must be 1, 3, 5, 7, 14, 30, ",
    ),
    "an IPv6 CIDR, of which nothing is left": (
        environment(services='[services.web]\nkind = "status"\nallowed_cidrs = ["::/0"]\n'),
        'dev.toml: services.web.allowed_cidrs.0 = "::/0": an IPv4 CIDR such as "10.0.0.0/16"; IPv6 is not ',
    ),
    "an empty list": (
        environment(services="[services.web]\nkind = 'status'\nallowed_cidrs = []\n"),
        "dev.toml: services.web.allowed_cidrs = []: must have at least 1 value",
    ),
    "a text where a list is due": (
        environment(services='[services.web]\nkind = "status"\nwritable_paths = "/tmp/x"\n'),
        'dev.toml: services.web.writable_paths = "/tmp/x": must be a list in brackets: ["/tmp/x"]',
    ),
    "a number where a table is due": (
        environment(services="[services.web]\nkind = 'status'\nscaling = 3\n"),
        "dev.toml: services.web.scaling = 3: must be a table: [services.web.scaling]",
    ),
    "a number in quotes": (
        environment(services=f'{SERVICE}[load_balancer]\nidle_timeout = "60"\n'),
        'dev.toml: load_balancer.idle_timeout = "60": must be a whole number, without quotes: 60',
    ),
    "a number out of range": (
        environment(services="[services.web]\nkind = 'status'\nspot_percent = 101\n"),
        "dev.toml: services.web.spot_percent = 101: must be at most 100",
    ),
    "a key that is like no other": (
        environment(services='[services.web]\nkind = "status"\nqqqqqqqq = ["x"]\n'),
        "dev.toml: services.web.qqqqqqqq: unknown key; known here: allowed_cidrs, ",
    ),
    "a letter that no tag takes everywhere": (
        environment().replace('"platform@example.com"', '"J\u00fcrgen"'),
        'dev.toml: owner = "J\u00fcrgen": 1 to 256 of the letters a to z and A to Z, digits',
    ),
    "a key twice": (
        environment(top='region = "eu-west-1"\n'),
        "dev.toml: is not TOML: line 4: the key region is there already, in the same table",
    ),
    "a table twice": (
        environment(services="[services.web]\nkind = 'status'\n[services.web]\nkind = 'status'\n"),
        "dev.toml: is not TOML: line 9: this table is there already",
    ),
    "text without quotes": (
        environment(top="owner = team\n"),
        "dev.toml: is not TOML: line 1: a value must be here; text stands in quotes",
    ),
    "a region of another partition": (
        environment().replace('"eu-central-1"', '"cn-north-1"'),
        'dev.toml: region = "cn-north-1": a region of AWS\'s commercial partition',
    ),
    "a region that does not exist": (
        environment().replace('"eu-central-1"', '"eu-central-9"'),
        (
            'dev.toml: region = "eu-central-9": a region of AWS\'s commercial partition that provider 5.100.0'
            " has; did you mean 'eu-central-2'? known here: af-south-1, ap-east-1, "
        ),
    ),
    "a region that the provider refuses": (
        environment().replace('"eu-central-1"', '"ap-southeast-6"'),
        'dev.toml: region = "ap-southeast-6": a region of AWS\'s commercial partition that provider',
    ),
    "an account id in other digits": (
        environment().replace('"111111111111"', '"\u0661\u0661\u0661111111111"'),
        'dev.toml: account_id = "\u0661\u0661\u0661111111111": an AWS account id',
    ),
    "a CIDR no host can have": (
        environment(network='network = { cidr = "127.0.0.0/16" }\n'),
        'dev.toml: network.cidr = "127.0.0.0/16": addresses that hosts can have',
    ),
    "a service whose log group is another's": (
        environment(services="[services.flow-logs]\nkind = 'status'\n"),
        "dev.toml: services.flow-logs: a service cannot be called 'flow-logs'",
    ),
    "images that no endpoint leads to": (
        environment(network=WITHOUT_NAT).replace('"eu-central-1"', '"eu-west-1"'),
        'dev.toml: network.nat = "none": images are in eu-central-1, the registry\'s region',
    ),
    "a domain that no certificate takes": (
        environment(
            services=f'{SERVICE}[load_balancer]\ndomain = "{"a" * 60}.example.com"\n'
            'hosted_zone = "example.com"\n'
        ),
        f'dev.toml: load_balancer.domain = "{"a" * 60}.example.com": a domain such as',
    ),
    "more CIDRs than a security group takes": (
        environment(
            services=f"{SERVICE}[load_balancer]\nallowed_cidrs = {[f'10.0.{n}.0/24' for n in range(60)]}\n"
        ),
        "dev.toml: load_balancer.allowed_cidrs: fewer: 60 CIDRs make 61 rules, a security group takes 60",
    ),
    "a path that leads out": (
        environment(services='[services.web]\nkind = "status"\nwritable_paths = ["/a/../b"]\n'),
        'dev.toml: services.web.writable_paths.0 = "/a/../b": a path without . and ..',
    ),
    "a percentage that scaling cannot aim at": (
        environment(services="[services.web.scaling]\ncpu_percent = 5\n"),
        "dev.toml: services.web.scaling.cpu_percent = 5: 10 to 90 percent, or 0 to leave it out",
    ),
    "a parameter of AWS's own": (
        environment(services='[services.web.secrets]\nWRITE_TOKEN_SHA256 = "ssm:/aws/service/x"\n'),
        "dev.toml: services.web.secrets.WRITE_TOKEN_SHA256: a reference, never the secret itself",
    ),
    "an owner that cannot be a tag": (
        environment().replace('"platform@example.com"', '"a<b>"'),
        'dev.toml: owner = "a<b>": 1 to 256 of the letters a to z and A to Z, digits, spaces and ',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named_with_file_key_value_and_what_is_allowed(tmp_path: Path, case: str) -> None:
    text, message = BAD[case]
    errors = errors_with(tmp_path, text)
    assert len(errors) == 1
    assert errors[0].startswith(message)


HOW_TO_FIND_IDS = (
    "`gh api repos/example/oaktree --jq '.owner.id, .id'` prints repository_owner_id and repository_id"
)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "repository_id = 1",
            f"repository_owner_id: is required with the other id: both or neither; {HOW_TO_FIND_IDS}",
        ),
        (
            "repository_owner_id = 1",
            f"repository_id: is required with the other id: both or neither; {HOW_TO_FIND_IDS}",
        ),
        ('repository_id = "1"', 'repository_id = "1": must be a whole number, without quotes: 1'),
        (
            'accounts_with_oidc_provider = ["222222222222"]',
            'accounts_with_oidc_provider = "222222222222": an account in use: 111111111111',
        ),
        ('releases = ["dev", "prod"]', 'releases = "prod": an environment: dev'),
        ('releases = ["dev", "dev"]', 'releases = ["dev", "dev"]: each value once'),
        (
            f'repository = "a/{"b" * 255}"',
            f'repository = "a/{"b" * 255}": a GitHub repository such as "owner/',
        ),
    ],
)
def test_a_project_that_is_not_as_it_must_be_is_named_with_key_and_value(
    tmp_path: Path, line: str, told: str
) -> None:
    project = (
        PROJECT.replace('repository = "example/oaktree"\n', "")
        if line.startswith("repository =")
        else PROJECT
    )
    (error,) = errors_of(write_platform(tmp_path, f"{project}{line}\n", dev=environment()))
    assert error.startswith(f"project.toml: {told}")


def test_accounts_are_not_compared_with_those_of_files_that_cannot_be_used(tmp_path: Path) -> None:
    project = f'{PROJECT}accounts_with_oidc_provider = ["222222222222"]\n'
    (error,) = errors_of(write_platform(tmp_path, project, dev=environment(top='ower = "x"\n')))
    assert error.startswith("dev.toml: ower: unknown key")


def test_environments_cannot_share_addresses(tmp_path: Path) -> None:
    write_platform(
        tmp_path,
        dev=environment(),
        prod=environment(network='network = { cidr = "10.10.128.0/17" }\n'),
    )
    assert errors_of(tmp_path) == [
        (
            'prod.toml: network.cidr = "10.10.128.0/17": overlaps 10.10.0.0/16 of dev.toml; '
            "each environment needs its own addresses"
        )
    ]


@pytest.mark.parametrize("name", ["aws", "awesome"])
def test_a_project_cannot_have_a_name_that_aws_reserves(tmp_path: Path, name: str) -> None:
    write_platform(tmp_path, project=PROJECT.replace('"oaktree"', f'"{name}"'), dev=environment())
    if name == "awesome":
        read_platform(tmp_path)
    else:
        assert errors_of(tmp_path)[0].startswith('project.toml: name = "aws": another name: AWS reserves aws')


def test_two_services_cannot_come_to_the_same_name(tmp_path: Path) -> None:
    other = 'network = { cidr = "10.20.0.0/16" }\n'
    text = environment(services="[services.a-b]\nkind = 'status'\n")
    write_platform(
        tmp_path,
        **{"dev": text, "dev-a": environment(network=other, services="[services.b]\nkind = 'status'\n")},
    )
    (error,) = errors_of(tmp_path)
    assert error == (
        "dev.toml: services.a-b: another name: it and dev-a.toml: services.b would both be called 'dev-a-b'"
    )


def test_two_stores_cannot_come_to_the_same_name(tmp_path: Path) -> None:
    service = "[services.web]\nkind = 'status'\n"
    other = 'network = { cidr = "10.20.0.0/16" }\n'
    dev = environment(services=f"{service}[queues.eu-orders]\n[tables.eu-carts]\n")
    files = {"dev": dev, "dev-eu": environment(network=other, services=f"{service}[queues.orders]\n")}
    (error,) = errors_of(write_platform(tmp_path, **files))
    assert error == (
        "dev.toml: queues.eu-orders: another name: it and dev-eu.toml: queues.orders would both be called "
        "'dev-eu-orders'"
    )


def test_two_services_cannot_have_the_same_domain(tmp_path: Path) -> None:
    service = """\
[load_balancer]
domain = "{}"
hosted_zone = "example.com"
[services.{}]
kind = "status"
domain = "www.example.com"
"""
    other = 'network = { cidr = "10.20.0.0/16" }\n'
    write_platform(
        tmp_path,
        dev=environment(services=service.format("dev.example.com", "web")),
        prod=environment(network=other, services=service.format("example.com", "api")),
    )
    (error,) = errors_of(tmp_path)
    assert error == (
        'prod.toml: services.api.domain = "www.example.com": a domain of its own: dev.toml has it already'
    )


def test_overlap_is_told_although_another_key_of_the_file_is_wrong(tmp_path: Path) -> None:
    write_platform(tmp_path, dev=environment(), qa=environment(top="wrong = 1\n"))
    assert [error.partition(":")[2].partition(":")[0] for error in errors_of(tmp_path)] == [
        " wrong",
        ' network.cidr = "10.10.0.0/16"',
    ]


def test_all_errors_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    write_platform(
        tmp_path,
        project=PROJECT.replace('"111111111111"', '"1"'),
        dev=environment(services="[services.web]\nkind = 'status'\ncpu = 1\nkeep_alive = 1\nmemroy = 2\n"),
        prod=environment(top='ower = "x"\n', services="[services.web]\nkind = 'status'\nkeep_alive = 1\n"),
        staging="account_id = ",
    )
    errors = errors_of(tmp_path)
    assert [error.partition(" = ")[0].partition(": u")[0] for error in errors] == [
        "project.toml: account_id",
        "dev.toml: services.web.memroy",
        "prod.toml: ower",
        "staging.toml: is not TOML: the end: a value must be here; text stands in quotes",
        "prod.toml: network.cidr",
    ]


def test_a_secret_written_where_its_reference_belongs_is_not_repeated(tmp_path: Path) -> None:
    text = environment(services='[services.web.secrets]\nWRITE_TOKEN_SHA256 = "hunter2"\n')
    (error,) = errors_with(tmp_path, text)
    assert error == (
        "dev.toml: services.web.secrets.WRITE_TOKEN_SHA256: a reference, never the secret itself: "
        '"ssm:/path/of/parameter", "secretsmanager:name" or, for a key of a secret that is JSON, '
        '"secretsmanager:name#key"'
    )


def test_a_directory_without_files_says_which_are_missing(tmp_path: Path) -> None:
    errors = errors_of(tmp_path)
    assert errors[0] == "project.toml: cannot be read: No such file or directory"
    assert errors[1].endswith("no environment: add a file such as dev.toml")


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    write_platform(tmp_path, dev=environment())
    (tmp_path / "prod.toml").write_bytes(b"\xff\xfe")
    assert errors_of(tmp_path) == ["prod.toml: is not UTF-8 text; save it in that encoding"]


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    assert read(tmp_path, dev="\ufeff" + environment()).environments["dev"].region == "eu-central-1"


def test_a_name_longer_than_names_may_be_is_told_in_characters(tmp_path: Path) -> None:
    write_platform(tmp_path, project=PROJECT.replace('"oaktree"', '"a-longer-name"'), dev=environment())
    assert errors_of(tmp_path) == ['project.toml: name = "a-longer-name": must have at most 12 characters']


@pytest.mark.parametrize("name", ["qa.yaml", "qa.yml", "qa.json", "qa.TOML"])
def test_a_file_that_only_its_ending_keeps_from_being_settings_is_named(tmp_path: Path, name: str) -> None:
    write_platform(tmp_path, dev=environment())
    (tmp_path / name).write_text(environment())
    (tmp_path / "README.md").touch()
    (tmp_path / "dev.toml~").touch()
    assert errors_of(tmp_path) == [f"{name}: is not read: settings are TOML, in qa.toml"]


@pytest.mark.parametrize("name", ["foundation", "github"])
def test_an_environment_cannot_be_called_like_a_stack(tmp_path: Path, name: str) -> None:
    (error,) = errors_of(write_platform(tmp_path, **{name: environment()}))
    assert error == f"{name}.toml: an environment cannot be called '{name}'; rename the file"


@given(cpu=st.integers(0, 20000), memory=st.integers(0, 130000))
def test_only_pairs_that_fargate_sells_are_accepted(
    tmp_path_factory: pytest.TempPathFactory, cpu: int, memory: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("pair")
    write_platform(
        tmp_path,
        dev=environment(services=f"[services.web]\nkind = 'status'\ncpu = {cpu}\nmemory = {memory}\n"),
    )
    if memory in MEMORY_BY_CPU.get(cpu, ()):
        read_platform(tmp_path)
    else:
        assert "Fargate does not sell this" in errors_of(tmp_path)[0]


@given(st.sampled_from([(cpu, memory) for cpu, sizes in MEMORY_BY_CPU.items() for memory in sizes]))
def test_every_pair_that_fargate_sells_is_accepted(
    tmp_path_factory: pytest.TempPathFactory, pair: tuple[int, int]
) -> None:
    cpu, memory = pair
    services = f"[services.web]\nkind = 'status'\ncpu = {cpu}\nmemory = {memory}\n"
    dev = read(tmp_path_factory.mktemp("pair"), dev=environment(services=services)).environments["dev"]
    assert (dev.services["web"].cpu, dev.services["web"].memory) == pair


@given(idle=st.integers(HEARTBEAT + 1, 4000), keep=st.integers(1, 7200))
def test_keep_alive_is_accepted_only_above_the_idle_timeout(
    tmp_path_factory: pytest.TempPathFactory, idle: int, keep: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("keep")
    services = f"{SERVICE}keep_alive = {keep}\n[load_balancer]\nidle_timeout = {idle}\n"
    write_platform(tmp_path, dev=environment(services=services))
    if keep > idle:
        read_platform(tmp_path)
    else:
        assert errors_of(tmp_path)[0].startswith(f"dev.toml: services.web.keep_alive = {keep}: more than")


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_fewest_tasks_are_never_above_most(
    tmp_path_factory: pytest.TempPathFactory, fewest: int, most: int
) -> None:
    tmp_path = tmp_path_factory.mktemp("scaling")
    services = f"{SERVICE}[services.web.scaling]\nmin_capacity = {fewest}\nmax_capacity = {most}\n"
    write_platform(tmp_path, dev=environment(services=services))
    if fewest <= most:
        read_platform(tmp_path)
    else:
        assert errors_of(tmp_path)[0].endswith(f"at most max_capacity = {most}")


CIDRS = st.builds(
    lambda start, prefix: IPv4Network((start >> (32 - prefix) << (32 - prefix), prefix)),
    st.integers(0x0A000000, 0x0AFFFFFF),
    st.integers(16, 23),
)


@given(CIDRS, CIDRS)
def test_overlap_is_found_wherever_it_is(
    tmp_path_factory: pytest.TempPathFactory, one: IPv4Network, other: IPv4Network
) -> None:
    tmp_path = tmp_path_factory.mktemp("overlap")
    write_platform(
        tmp_path,
        one=environment(network=f'network = {{ cidr = "{one}" }}\n'),
        two=environment(network=f'network = {{ cidr = "{other}" }}\n'),
    )
    if set(range(int(one[0]), int(one[-1]) + 1)).isdisjoint((int(other[0]), int(other[-1]))) and set(
        range(int(other[0]), int(other[-1]) + 1)
    ).isdisjoint((int(one[0]), int(one[-1]))):
        read_platform(tmp_path)
    else:
        assert f"overlaps {one} of one.toml" in errors_of(tmp_path)[0]


@given(st.text(max_size=60))
def test_no_text_in_place_of_a_file_ends_in_anything_but_settings_or_their_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    tmp_path = tmp_path_factory.mktemp("text")
    write_platform(tmp_path)
    (tmp_path / "dev.toml").write_text(text, encoding="utf-8", errors="replace", newline="")
    assert all(error.startswith("dev.toml: ") for error in errors_of(tmp_path))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


def as_toml(value: object) -> str:
    match value:
        case None:
            return "1979-05-27"
        case bool():
            return str(value).lower()
        case str():
            escaped = "".join(f"\\u{ord(c):04X}" if ord(c) < 0x10000 else f"\\U{ord(c):08X}" for c in value)
            return f'"{escaped}"'
        case list():
            return "[" + ", ".join(as_toml(item) for item in value) + "]"
        case dict():
            return "{" + ", ".join(f"{as_toml(key)} = {as_toml(item)}" for key, item in value.items()) + "}"
    return str(value)


@given(key=st.sampled_from(["network", "services", "data", "logs", "alarms", "protected"]), value=VALUES)
def test_no_value_anywhere_ends_in_anything_but_settings_or_their_error(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    tmp_path = tmp_path_factory.mktemp("value")
    lines = {"network": NETWORK, "services": "services = { web = {} }\n", key: f"{key} = {as_toml(value)}\n"}
    write_platform(tmp_path, dev=TAIL + "".join(lines.values()))
    problems: tuple[Problem, ...] = ()
    try:
        read_platform(tmp_path)
    except SettingsError as error:
        problems = error.problems
    assert all(problem.file.endswith("dev.toml") for problem in problems)


NOT_OURS = re.compile(
    "input should|tuple|dictionary|instance|integer|boolean|valid string|validation|item|octet|"
    "(Cannot|Expected|Invalid|Illegal|Unclosed|Unescaped|Unterminated) |object"
)
"""Words of Python's and pydantic's, which say nothing to whom writes TOML."""

MODELS: dict[str, type[BaseModel]] = {
    "": Environment,
    "network": Network,
    "services.web": Service,
    "services.web.scaling": Scaling,
    "services.web.health_check": HealthCheck,
    "data": Data,
    "logs": Logs,
    "alarms": Alarms,
}
PLACES = [(table, key) for table, model in MODELS.items() for key in model.model_fields]


@given(place=st.sampled_from(PLACES), value=VALUES.filter(lambda value: not NOT_OURS.search(str(value))))
def test_no_value_anywhere_is_told_in_words_of_python(
    tmp_path_factory: pytest.TempPathFactory, place: tuple[str, str], value: object
) -> None:
    table, key = place
    content = {"network": {"cidr": "10.10.0.0/16"}, "services": {"web": {}}}
    inner: dict[str, Any] = content
    for part in filter(None, table.split(".")):
        inner = inner.setdefault(part, {})
    inner[key] = value
    directory = tmp_path_factory.mktemp("words")
    given_keys = "".join(line + "\n" for line in TAIL.splitlines() if line.partition(" ")[0] != key)
    lines = (f"{name} = {as_toml(part)}\n" for name, part in content.items())
    write_platform(directory, dev=given_keys + "".join(lines))
    assert not NOT_OURS.search(told(directory))


@given(
    at=st.integers(0, 200),
    less=st.integers(0, 3),
    more=st.sampled_from(["", "=", "[", "]", '"', "'", "{", "}", ",", "\n", "\\", "#", "x", "1", ".", "\0"]),
)
def test_no_damage_to_a_file_is_told_in_words_of_python(
    tmp_path_factory: pytest.TempPathFactory, at: int, less: int, more: str
) -> None:
    whole = environment(
        services='[services.web]\nkind = "status"\nallowed_cidrs = ["10.0.0.0/8"]\n[services.web.secrets]\n'
    )
    directory = write_platform(tmp_path_factory.mktemp("damage"), dev=whole[:at] + more + whole[at + less :])
    assert not NOT_OURS.search(told(directory))


def told(directory: Path) -> str:
    """What is wrong with the settings, if anything is."""
    try:
        read_platform(directory)
    except SettingsError as error:
        return str(error).replace(str(directory), "")
    return ""


TABLES: dict[str, type[BaseModel]] = {
    "`environments/project.toml`": Project,
    "`environments/<name>.toml`": Environment,
    "`[network]`": Network,
    "`[network.existing]`": ExistingNetwork,
    "`[load_balancer]`": LoadBalancer,
    "`[load_balancer.waf]`": Waf,
    "`[services.<name>]`": Service,
    "`[[services.<name>.permissions]]`": Permission,
    "`[[services.<name>.egress]]`": Egress,
    "`[services.<name>.sidecars.<name>]`": Sidecar,
    "`[services.<name>.container_health]`": ContainerHealth,
    "`[services.<name>.local]`": Local,
    "`[services.<name>.row]`": ServiceRow,
    "`[services.<name>.page]`": Page,
    "`[[services.<name>.page.links]]`": Link,
    "`[<kind>.<name>.row]`": Row,
    "`[services.<name>.scaling]`": Scaling,
    "`[[services.<name>.scaling.schedule]]`": ScheduledScaling,
    "`[services.<name>.health_check]`": HealthCheck,
    "`[databases.<name>]`": Database,
    "`[caches.<name>]`": Cache,
    "`[queues.<name>]`": Queue,
    "`[topics.<name>]`": Topic,
    "`[[topics.<name>.subscriptions]]`": Subscription,
    "`[buckets.<name>]`": Bucket,
    "`[[buckets.<name>.cors]]`": Cors,
    "`[[buckets.<name>.notify]]`": Notification,
    "`[tables.<name>]`": KeyValueTable,
    "`[tables.<name>.indexes.<name>]`": Index,
    "`[volumes.<name>]`": Volume,
    "`[data]`": Data,
    "`[logs]`": Logs,
    "`[alarms]`": Alarms,
    "`[alarms.thresholds]`": Thresholds,
    "`[alarms.slack]`": Slack,
    "`[alarms.teams]`": Teams,
}


def documented_keys() -> dict[str, dict[str, str]]:
    """The defaults in docs/settings.md, by heading and key."""
    tables: dict[str, dict[str, str]] = {}
    heading = ""
    for line in (ROOT / "docs/settings.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
        elif line.startswith("| `"):
            key, default = (cell.strip().strip("`") for cell in line.split("|")[1:3])
            tables.setdefault(heading, {})[key] = default
    return tables


def test_the_documentation_names_every_setting_and_its_default() -> None:
    documented = documented_keys()
    assert set(documented) == set(TABLES)
    for heading, table in TABLES.items():
        fields = dict(table.model_fields)
        if table is Environment:
            del fields["name"]  # the file's name, no key in it
        if table is Sidecar:  # those of every container stand with the service
            fields = {name: field for name, field in fields.items() if name not in Container.model_fields}
        assert set(documented[heading]) == set(fields), heading
        for name, field in fields.items():
            default = documented[heading][name]
            if field.is_required():
                assert default == "", name
            elif default == "none":
                assert field.get_default() is None, name
            elif default != "its own defaults":
                value = tomllib.loads(f"value = {default}")["value"]
                found = field.get_default(call_default_factory=True)
                assert found == (tuple(value) if isinstance(value, list) else value) or str(found[0]) in value
