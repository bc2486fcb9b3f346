"""The status app boots with the variables that any valid settings give it."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stacks import components
from stacks.containers import Addressed, Reference
from stacks.problems import SettingsError
from stacks.reading import read_platform
from stacks.workloads import workload
from tests.stacks.platform_files import NETWORK, TAIL, errors_of, write_platform
from tests.webapp.environment import COMMIT, IMAGE
from webapp.settings import Settings, read_settings

STATUS = '[services.status]\nkind = "status"\nload_balancer = "own"\n'

STORES = {
    "databases": "",
    "caches": "",
    "queues": "",
    "topics": "",
    "buckets": "",
    "tables": "",
    "volumes": 'path = "/media"',
}

ODD = "'\"<>{}|\\^`%$&#?;,@~ éß\u00a0\u3000\u2028/.:ab0"
"""Characters among which are all that a path or an address cannot have."""


def booted(directory: Path) -> Settings:
    """The settings with which the app of `dev` boots; raises what its boot raises."""
    platform = read_platform(directory)
    variables = workload(platform.project, platform.environments["dev"], "status").main.variables
    environ = {}
    for name, value in variables.items():
        match value:
            case Reference.IMAGE:
                environ[name] = IMAGE
            case Reference.COMMIT:
                environ[name] = COMMIT
            case Addressed():
                environ[name] = value.text
                for stands in value.balancers.values():
                    environ[name] = environ[name].replace(stands, "lb-1.eu-central-1.elb.amazonaws.com")
            case _:
                environ[name] = str(value)
    return read_settings(environ)


def boots_or_is_refused(directory: Path, settings: str) -> bool:
    """Whether settings are valid; if they are, the app boots with them."""
    try:
        read_platform(write_platform(directory, dev=f"{TAIL}{NETWORK}{STATUS}{settings}"))
    except SettingsError:
        return False
    booted(directory)
    return True


def written(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


@given(path=st.text(st.sampled_from(ODD), max_size=20).map(lambda rest: f"/{rest}"))
def test_the_app_boots_with_every_health_path_that_the_settings_take(
    path: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    web = f'[services.web]\ndockerfile = "x/Dockerfile"\nhealth_path = {written(path)}\n'
    boots_or_is_refused(tmp_path_factory.getbasetemp() / "paths", web + "internal = true\n")
    boots_or_is_refused(tmp_path_factory.getbasetemp() / "paths", web)


@given(rest=st.text(st.sampled_from(ODD), max_size=20))
def test_the_app_boots_with_every_address_that_the_settings_take(
    rest: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.getbasetemp() / "addresses"
    for url in (f"https://{rest}", f"https://example.com{rest}", f"https://example.com/{rest}"):
        link = f'{{ name = "Help", url = {written(url)} }}'
        boots_or_is_refused(directory, f"[services.status.page]\nlinks = [{link}]\nlogo = {written(url)}\n")


@given(words=st.text(min_size=1, max_size=80))
def test_the_app_boots_with_every_title_that_the_settings_take(
    words: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    text = written(words)
    rows = f"row = {{ title = {text}, group = {text} }}\n[services.status.page]\ntitle = {text}\n"
    boots_or_is_refused(tmp_path_factory.getbasetemp() / "titles", rows)


@pytest.mark.parametrize(
    "path", ["/health", "/a/b.json?deep=1&x=%27", "/-._~!$&()*+,;=:@/?", f"/{'x' * 1023}", "/"]
)
def test_a_path_of_the_characters_of_an_address_is_probed_as_it_stands(tmp_path: Path, path: str) -> None:
    web = f'[services.web]\ndockerfile = "x/Dockerfile"\nhealth_path = "{path}"\n'
    assert boots_or_is_refused(tmp_path, web)
    assert booted(tmp_path).probe_urls["services.web"].endswith(f".com{path}")


@pytest.mark.parametrize("path", ["/it's", '/a\\"b', "/é", "/100%", "/a b", f"/{'x' * 1024}", "/${x}"])
def test_a_path_with_other_characters_is_refused_with_those_that_are_allowed(
    tmp_path: Path, path: str
) -> None:
    web = f'[services.web]\ndockerfile = "x/Dockerfile"\nhealth_path = "{path}"\n'
    (error,) = errors_of(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{web}"))
    assert error == (
        f'dev.toml: services.web.health_path = "{path}": a path of at most 1024 characters, such as '
        '"/health", with others than letters, digits and -._~!$&()*+,;=:@/? percent-encoded, such as %27'
    )


@pytest.mark.parametrize("url", ["https:///x", "https://", "https://?x", "https://a b", "https://é.example"])
def test_an_address_without_a_host_is_refused(tmp_path: Path, url: str) -> None:
    page = f'[services.status.page]\nlogo = "{url}"\n'
    (error,) = errors_of(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{STATUS}{page}"))
    assert error.startswith(f'dev.toml: services.status.page.logo = "{url}": an address such as ')


@pytest.mark.parametrize(
    "url", ["https://example.com", "https://example.com:8443/a?b=%20#c", "https://a-b.c/d/"]
)
def test_an_address_with_a_host_is_a_link(tmp_path: Path, url: str) -> None:
    page = f'[services.status.page]\nlinks = [{{ name = "Help", url = "{url}" }}]\n'
    assert boots_or_is_refused(tmp_path, page)
    assert [link.url for link in booted(tmp_path).page_links] == [url]


@pytest.mark.parametrize("kind", STORES)
def test_a_name_that_is_too_long_for_the_app_is_refused(tmp_path: Path, kind: str) -> None:
    store = f"[{kind}.{'x' * 64}]\n{STORES[kind]}\n"
    errors = errors_of(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{STATUS}{store}"))
    assert (
        f"dev.toml: {kind}.{'x' * 64}: a shorter name: it has 64 characters, the status app takes 63"
        in errors
    )


@pytest.mark.parametrize("kind", ["topics", "tables", "volumes"])
def test_the_longest_name_has_a_row(tmp_path: Path, kind: str) -> None:
    key = "x" * 63
    assert boots_or_is_refused(tmp_path, f"[{kind}.{key}]\n{STORES[kind]}\n")
    assert booted(tmp_path).watched[f"{kind}.{key}"].name.startswith("Xxx")


def test_names_may_be_longer_without_a_status_app(tmp_path: Path) -> None:
    web = f'[services.web]\ndockerfile = "x/Dockerfile"\n[topics.{"x" * 64}]\n'
    dev = read_platform(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{web}")).environments["dev"]
    assert list(dev.topics) == ["x" * 64]


@pytest.mark.parametrize("kind", ["databases", "queues", "buckets"])
def test_a_store_that_exists_already_has_a_row_of_its_own_words(tmp_path: Path, kind: str) -> None:
    store = f'[{kind}.old]\nexisting = true\nname = "legacy"\nrow = {{ title = "Old one", public = false }}\n'
    platform = read_platform(write_platform(tmp_path, dev=f"{TAIL}{NETWORK}{STATUS}{store}"))
    found = components.components(platform.project, platform.environments["dev"], "status")
    (row,) = [each for each in found if each.id == f"{kind}.old"]
    assert (row.name, row.public) == ("Old one", False)
