"""Tables of `project.toml` that are defaults of every environment, and what its file says otherwise."""

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks.reading import is_shared, merged, read_platform
from stacks.settings import Environment
from tests.stacks.platform_files import PROJECT, environment, errors_of, write_platform

Content = dict[str, Any]

NAMES = st.sampled_from("abc")
LEAVES = st.integers(0, 9) | st.lists(st.integers(0, 9), max_size=2)
CONTENTS: st.SearchStrategy[Content] = st.dictionaries(
    NAMES,
    st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner, max_size=3), max_leaves=8),
    max_size=3,
)


def leaves(content: object, *above: str) -> Iterator[tuple[tuple[str, ...], object]]:
    """Every value that is no table with keys, under its key."""
    if isinstance(content, dict) and content:
        for key, value in content.items():
            yield from leaves(value, *above, key)
    elif above:
        yield above, content


def at(content: Any, key: tuple[str, ...]) -> object:
    for part in key:
        content = content[part]
    return content


@given(CONTENTS)
def test_merging_with_a_file_that_says_nothing_changes_nothing(content: Content) -> None:
    assert merged(content, {}) == content == merged({}, content) == merged(content, content)


@given(CONTENTS, CONTENTS)
def test_a_file_that_says_nothing_may_be_merged_before_or_after(one: Content, two: Content) -> None:
    for first, second, third in (({}, one, two), (one, {}, two), (one, two, {})):
        assert merged(merged(first, second), third) == merged(first, merged(second, third))


@given(CONTENTS, CONTENTS)
def test_the_environment_wins_at_every_depth(shared: Content, own: Content) -> None:
    both = merged(shared, own)
    for key, value in leaves(own):
        if value != {}:
            assert at(both, key) == value
    said = dict(leaves(shared)) | dict(leaves(own))
    assert all(said[key] == value for key, value in leaves(both))


@given(CONTENTS, CONTENTS)
def test_every_value_is_in_the_file_that_it_is_said_to_be_in(shared: Content, own: Content) -> None:
    for key, value in leaves(merged(shared, own)):
        assert at(shared if is_shared(key, shared, own) else own, key) == value


@given(CONTENTS, CONTENTS)
def test_merging_changes_neither_file(shared: Content, own: Content) -> None:
    before = deepcopy((shared, own))
    merged(shared, own)
    assert (shared, own) == before


def test_a_list_is_replaced_as_a_whole() -> None:
    assert merged({"zones": ["a", "b", "c"]}, {"zones": ["a", "b"]}) == {"zones": ["a", "b"]}


SHARED = """\
[network]
nat = "per-zone"
[services.web]
kind = "status"
cpu = 512
memory = 1024
scaling = { min_capacity = 3, max_capacity = 6 }
[services.preview]
kind = "status"
load_balancer = "own"
[logs]
retention_days = 7
"""

PROD_NETWORK = 'network = { cidr = "10.20.0.0/16" }\n'


def environments(directory: Path, shared: str, **own: str) -> dict[str, Environment]:
    return dict(read_platform(write_platform(directory, PROJECT + shared, **own)).environments)


def test_what_stands_in_the_project_file_is_the_default_of_every_environment(tmp_path: Path) -> None:
    prod = environment(
        network=PROD_NETWORK,
        services="services.web.scaling.max_capacity = 12\n[services.preview]\nenabled = false\n",
    )
    read = environments(tmp_path, SHARED, dev=environment(services=""), prod=prod)
    assert [list(each.services) for each in read.values()] == [["web", "preview"], ["web"]]
    assert [each.network.nat for each in read.values()] == ["per-zone", "per-zone"]
    assert [each.logs.retention_days for each in read.values()] == [7, 7]
    web = read["prod"].services["web"]
    assert (web.cpu, web.memory, web.scaling.min_capacity, web.scaling.max_capacity) == (512, 1024, 3, 12)
    assert read["dev"].services["web"].scaling.max_capacity == 6


def test_the_file_that_sets_a_key_is_known(tmp_path: Path) -> None:
    prod = environment(network=PROD_NETWORK, services="services.web.scaling.max_capacity = 12\n")
    dev = environment(services="")
    platform = read_platform(write_platform(tmp_path, PROJECT + SHARED, dev=dev, prod=prod))
    most = ("services", "web", "scaling", "max_capacity")
    assert [platform.file_of(name, *most) for name in ("dev", "prod")] == ["project.toml", "prod.toml"]
    assert platform.file_of("prod", *most[:-1], "min_capacity") == "project.toml"
    assert (
        platform.file_of("prod", "network", "cidr")
        == platform.file_of("prod", "alarms", "emails")
        == "prod.toml"
    )


def test_a_service_may_be_enabled_nowhere_or_in_one_environment(tmp_path: Path) -> None:
    shared = """\
[services.web]
kind = "status"
[services.old]
enabled = false
cpu = 3
[services.new]
kind = "worker"
dockerfile = "Dockerfile"
enabled = false
"""
    dev = environment(services="services.new.enabled = true\n")
    prod = environment(network=PROD_NETWORK, services="")
    read = environments(tmp_path, shared, dev=dev, prod=prod)
    assert {name: set(each.services) for name, each in read.items()} == {
        "dev": {"web", "new"},
        "prod": {"web"},
    }


BOTH = {"dev": environment(services=""), "prod": environment(network=PROD_NETWORK, services="")}
"""Environments that have the services of `project.toml` as they are."""


def dev_with(services: str) -> dict[str, str]:
    return BOTH | {"dev": environment(services=services)}


BAD = {
    "a value that is wrong everywhere": (
        "[services.web]\nkind = 'status'\n[logs]\nretention_days = 31\n",
        BOTH,
        "project.toml: logs.retention_days = 31: must be 1, 3, 5, ",
    ),
    "a value that is wrong although every environment overrides it": (
        "[services.web]\nkind = 'status'\nspot_percent = 101\n",
        {name: f"{text}services.web.spot_percent = 0\n" for name, text in BOTH.items()},
        "project.toml: services.web.spot_percent = 101: must be at most 100",
    ),
    "a value of an environment, where the default is right": (
        "[services.web]\nkind = 'status'\nspot_percent = 0\n",
        dev_with("services.web.spot_percent = 101\n"),
        "dev.toml: services.web.spot_percent = 101: must be at most 100",
    ),
    "a value in a list": (
        '[services.web]\nkind = "status"\nallowed_cidrs = ["10.0.0.0/8", "::/0"]\n',
        BOTH,
        'project.toml: services.web.allowed_cidrs.1 = "::/0": an IPv4 CIDR',
    ),
    "no table": (
        "logs = 7\nservices.web.kind = 'status'\n",
        BOTH,
        "project.toml: logs = 7: must be a table: [logs]",
    ),
    "an unknown key": (
        "[services.web]\nkind = 'status'\nmemroy = 512\n",
        BOTH,
        "project.toml: services.web.memroy: unknown key; did you mean 'memory'? known here: ",
    ),
    "an unknown table": (
        "[service.web]\n",
        {"dev": environment()},
        (
            "project.toml: service: unknown key; did you mean 'services'? known here: account_id, "
            "accounts_with_oidc_provider, alarms, "
        ),
    ),
    "a secret itself": (
        '[services.web.secrets]\nWRITE_TOKEN_SHA256 = "hunter2"\n',
        BOTH,
        "project.toml: services.web.secrets.WRITE_TOKEN_SHA256: a reference, never the secret itself: ",
    ),
    "memory for no CPU": (
        "[services.web]\nkind = 'status'\ncpu = 1024\nmemory = 512\n",
        BOTH,
        "project.toml: services.web.memory = 512: Fargate does not sell this; with cpu = 1024 one of 2048, ",
    ),
    "CPU for the memory that is the default": (
        "[services.web]\nkind = 'status'\ncpu = 1024\n",
        BOTH,
        "project.toml: services.web.memory = 512: Fargate does not sell this; with cpu = 1024 one of 2048, ",
    ),
    "memory for the CPU of one environment": (
        "[services.web]\nkind = 'status'\nmemory = 512\n",
        dev_with("services.web.cpu = 1024\n"),
        (
            "project.toml: services.web.memory = 512: Fargate does not sell this; with cpu = 1024 one of "
            "2048, 3072, 4096, 5120, 6144, 7168, 8192 MiB (in dev)"
        ),
    ),
    "memory of one environment": (
        "[services.web]\nkind = 'status'\ncpu = 1024\nmemory = 2048\n",
        dev_with("services.web.memory = 512\n"),
        "dev.toml: services.web.memory = 512: Fargate does not sell this; with cpu = 1024 one of 2048, ",
    ),
    "a domain without a zone": (
        '[services.web]\nkind = "status"\nhosted_zone = "example.com"\n',
        BOTH,
        "project.toml: services.web.domain: is required with hosted_zone: both or neither",
    ),
    "a domain of one environment without a zone": (
        "[services.web]\nkind = 'status'\n",
        dev_with('load_balancer.domain = "www.example.com"\n'),
        "dev.toml: load_balancer.hosted_zone: is required with domain: both or neither",
    ),
    "one domain for all": (
        (
            '[load_balancer]\ndomain = "www.example.com"\nhosted_zone = "example.com"\n'
            '[services.web]\nkind = "status"\n'
        ),
        BOTH,
        (
            'project.toml: load_balancer.domain = "www.example.com": a domain of its own: dev.toml has it '
            "already (in prod)"
        ),
    ),
    "addresses that all would share": (
        '[services.web]\nkind = "status"\n[network]\ncidr = "10.0.0.0/16"\n',
        BOTH,
        'project.toml: network.cidr = "10.0.0.0/16": each environment needs its own addresses; move it to ',
    ),
    "no addresses": (
        '[services.web]\nkind = "status"\n[network]\nnat = "single"\n',
        {"dev": environment(network="", services="")},
        "dev.toml: network.cidr: is required: the VPC's IPv4 CIDR",
    ),
    "an account that no environment inherits": (
        "[services.web]\nkind = 'status'\n",
        {"dev": environment(services="").replace('account_id = "111111111111"\n', "")},
        "dev.toml: account_id: is required: the AWS account it lives in",
    ),
    "no service that is enabled": (
        "[services.web]\nkind = 'status'\n",
        dev_with("services.web.enabled = false\n"),
        "dev.toml: services: at least one that is enabled, such as [services.web]",
    ),
    "the image of a service that one environment disables": (
        (
            "[services.web]\ndockerfile = 'Dockerfile'\n[services.worker]\nkind = 'worker'\n"
            "same_image_as = 'web'\n"
        ),
        dev_with("services.web.enabled = false\n"),
        (
            'project.toml: services.worker.same_image_as = "web": web is disabled (dev.toml: '
            "services.web.enabled = false); enable it, or disable what needs it, too (in dev)"
        ),
    ),
    "a use of a service that all disable": (
        (
            "[services.web]\ndockerfile = 'Dockerfile'\nuses = ['services.prices']\n"
            "[services.prices]\ndockerfile = 'Dockerfile'\ninternal = true\nenabled = false\n"
        ),
        BOTH,
        (
            'project.toml: services.web.uses.0 = "services.prices": prices is disabled (project.toml: '
            "services.prices.enabled = false); enable it, or disable what needs it, too"
        ),
    ),
    "an image that two environments build from other files": (
        "[services.web]\ndockerfile = 'Dockerfile'\n",
        dev_with("services.web.dockerfile = 'dev/Dockerfile'\nservices.web.context = '.'\n"),
        (
            'project.toml: services.web.dockerfile = "Dockerfile": like dev.toml: services.web.dockerfile = '
            '"dev/Dockerfile": the image web is built once for all environments; set both alike, or give one '
            "of the services another name (in prod)"
        ),
    ),
    "an image of a sidecar that two environments build with other arguments": (
        "[services.web]\ndockerfile = 'Dockerfile'\nsidecars.proxy.dockerfile = 'Dockerfile'\n",
        BOTH
        | {
            "prod": environment(
                network=PROD_NETWORK, services="services.web.sidecars.proxy.build_args.LEVEL = 'all'\n"
            )
        },
        (
            'prod.toml: services.web.sidecars.proxy.build_args = {LEVEL = "all"}: like project.toml: '
            "services.web.sidecars.proxy.build_args = {} (not set): the image web.proxy is built once for "
        ),
    ),
    "a word for a truth": (
        '[services.web]\nkind = "status"\nenabled = "no"\n',
        BOTH,
        'project.toml: services.web.enabled = "no": must be true or false, without quotes',
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_an_error_is_told_once_with_the_file_that_says_it(tmp_path: Path, case: str) -> None:
    shared, own, message = BAD[case]
    (error,) = errors_of(write_platform(tmp_path, PROJECT + shared, **own))
    assert error.startswith(message)
    assert ("(in " in error) == ("(in " in message)


def test_what_a_project_file_that_cannot_be_read_may_say_is_not_missed(tmp_path: Path) -> None:
    dev = environment(services="services.web.cpu = 1024\nservices.web.keep_alive = 0\n")
    assert errors_of(write_platform(tmp_path, "name = ", dev=dev, prod=BOTH["prod"])) == [
        "project.toml: is not TOML: the end: a value must be here; text stands in quotes",
        "dev.toml: services.web.keep_alive = 0: must be at least 1",
    ]
