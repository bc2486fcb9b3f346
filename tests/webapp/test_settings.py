"""Reading the environment: what the platform writes is read back, what is wrong is named."""

import json
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.webapp.environment import ALARMS_ID, TABLE_ID, WATCHED, WEB_ID, components, environ_of
from webapp.check import Check
from webapp.checks import CHECKS
from webapp.components import Kind
from webapp.contract import Configuration, environment_of
from webapp.settings import Link, Registry, SettingsError, read_settings

RIGHT = environ_of("http://127.0.0.1:9")
HEX = "0123456789abcdef"

configurations = st.builds(
    Configuration,
    environment=st.text(min_size=1),
    service=st.text(min_size=1),
    aws_region=st.sampled_from(["eu-central-1", "us-gov-west-1", "ap-southeast-4"]),
    table=st.from_regex(r"[a-zA-Z0-9_.-]{3,255}", fullmatch=True),
    cluster=st.from_regex(r"[a-zA-Z0-9_-]{1,255}", fullmatch=True),
    components=st.just(components()),
    title=st.text(min_size=1, max_size=80),
    check_interval=st.integers(1, 300),
    image=st.text(HEX, min_size=64, max_size=64).map(lambda digest: f"host:5000/a/b@sha256:{digest}"),
    commit=st.text(HEX, min_size=7, max_size=64),
    keep_alive=st.integers(1, 10**6),
    shutdown_timeout=st.integers(1, 10**6),
    log_level=st.sampled_from(["debug", "info", "warning", "error"]),
)


def message_of(environ: dict[str, str]) -> str:
    """What a person is told about this environment."""
    with pytest.raises(SettingsError) as raised:
        read_settings(environ)
    return str(raised.value)


@given(configurations)
def test_what_the_platform_writes_is_read_back(configuration: Configuration) -> None:
    settings = read_settings(environment_of(configuration))
    assert {
        name: getattr(settings, name) for name in Configuration.model_fields
    } == configuration.model_dump()
    assert not settings.writing


@given(st.text(HEX, min_size=64, max_size=64))
def test_a_secret_turns_writing_on_and_is_not_shown(secret: str) -> None:
    settings = read_settings(RIGHT | {"WRITE_TOKEN_SHA256": secret})
    assert settings.writing
    assert settings.write_token_sha256 is not None
    assert settings.write_token_sha256.get_secret_value() == secret
    assert secret not in repr(settings) + str(settings)


WRONG = {
    "AWS_REGION": ["", "Frankfurt", "eu-central", "eu-central-1\n"],
    "CHECK_INTERVAL": ["", "0", "301", "1.5", "15s"],
    "CLUSTER": ["", "a b", "arn:aws:ecs:eu-central-1:123456789012:cluster/a", "a" * 256],
    "COMMIT": ["", "main", "012345", "0123456789ABCDEF"],
    "ENVIRONMENT": [""],
    "FAILURE_THRESHOLD": ["", "0", "11", "two"],
    "IMAGE": ["", "web", "web:1", "web@sha256:12", f"web:1 @sha256:{'a' * 64}", f"web@sha256:{'A' * 64}"],
    "KEEP_ALIVE": ["", "0", "-1", "1.5", "1m", "nan"],
    "LOGO_URL": ["http://example.com/logo.svg", "logo.svg", "https://example.com/a b"],
    "LOG_LEVEL": ["", "INFO", "trace"],
    "OPERATOR_VIEW": ["", "yes"],
    "SERVICE": [""],
    "SHUTDOWN_TIMEOUT": ["", "0", "-1", "1.5", "1m", "nan"],
    "TITLE": ["", "t" * 81],
    "TABLE": ["", "ab", "a b c", "ä" * 3, "t" * 256],
    "AWS_ENDPOINT_URL": ["", "localhost:5000", "ftp://host", "http://", "http://host/path"],
}


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG.items() for value in values]
)
def test_a_wrong_value_is_named_and_no_other(name: str, value: str) -> None:
    lines = message_of(RIGHT | {name: value}).splitlines()
    assert len(lines) == 2
    assert lines[1].startswith(f"  {name} is ")
    assert ": expected " in lines[1]
    assert (repr(value)[:80] if value else "empty") in lines[1]


def without(text: str, component: str) -> str:
    """COMPONENTS without one."""
    return json.dumps([item for item in json.loads(text) if item["id"] != component])


def changed(text: str, **values: object) -> str:
    """COMPONENTS with values of the first changed."""
    first, *others = json.loads(text)
    return json.dumps([first | values, *others])


@pytest.mark.parametrize(
    ("name", "value", "what"),
    [
        ("COMPONENTS", "[", "is wrong: Invalid JSON"),
        ("COMPONENTS", "{}", "is wrong: Input should be a valid"),
        ("COMPONENTS", changed(components(), kind="lorry"), "is wrong at 0.kind: Input should be 'web'"),
        ("COMPONENTS", changed(components(), id="Web"), "is wrong at 0.id: String should match"),
        ("COMPONENTS", changed(components(), port=1), "is wrong at 0.port: Extra inputs"),
        ("COMPONENTS", changed(components(), id=ALARMS_ID), f"has {ALARMS_ID} twice"),
        ("COMPONENTS", without(components(), TABLE_ID), "needs one component of the kind storage"),
        ("PROBES", "[]", "is wrong: Input should be"),
        ("PROBES", '{"services.web": "web"}', "is wrong at services.web: String should match"),
        ("LINKS", '[{"name": "Help"}]', "is wrong at 0.url: Field required"),
        ("LINKS", '[{"name": "Help", "url": "javascript:alert(1)"}]', "is wrong at 0.url: String should"),
    ],
)
def test_what_is_wrong_in_a_list_is_named_with_its_place(name: str, value: str, what: str) -> None:
    (_, line) = message_of(RIGHT | {name: value}).splitlines()
    assert line.startswith(f"  {name} {what}")
    assert ": expected a JSON " in line


def test_a_component_of_a_kind_that_has_no_check_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(cast("dict[Kind, Check]", CHECKS), Kind.ALARMS)
    what = f"COMPONENTS has {ALARMS_ID} of the kind alarms, for which there is no check: expected"
    assert what in message_of(RIGHT)


def test_the_lists_are_read() -> None:
    links = '[{"name": "Help", "url": "https://example.com/help"}]'
    probes = '{"services.web": "http://127.0.0.1:8000/health"}'
    settings = read_settings(RIGHT | {"LINKS": links, "PROBES": probes})
    assert tuple(settings.watched.values()) == WATCHED
    assert settings.storage.id == TABLE_ID
    assert settings.own_id == WEB_ID
    assert settings.page_links == (Link(name="Help", url="https://example.com/help"),)
    assert settings.probe_urls == {"services.web": "http://127.0.0.1:8000/health"}


@given(st.text(min_size=1).filter(lambda text: not set(text) <= set(HEX + HEX.upper()) or len(text) != 64))
def test_a_secret_of_a_wrong_format_is_named_and_not_shown(secret: str) -> None:
    message = message_of(RIGHT | {"WRITE_TOKEN_SHA256": secret})
    assert message == message_of(RIGHT | {"WRITE_TOKEN_SHA256": "another"})
    assert "WRITE_TOKEN_SHA256 is wrong" in message


def test_a_long_value_is_cut() -> None:
    assert len(message_of(RIGHT | {"TABLE": "t" * 10_000})) < 300


def test_variables_of_others_and_other_spellings_are_ignored() -> None:
    assert read_settings(RIGHT | {"PATH": "/bin", "log_level": "debug", "HOSTNAME": "web"}) == read_settings(
        RIGHT
    )


def test_the_digest_is_that_of_the_image() -> None:
    assert read_settings(RIGHT).digest == f"sha256:{'ab' * 32}"


@given(
    st.text("0123456789", min_size=12, max_size=12),
    st.sampled_from(["eu-central-1", "ap-southeast-4"]),
    st.from_regex(r"[a-z0-9]+(/[a-z0-9._-]+)*", fullmatch=True),
)
def test_where_an_image_of_ecr_is_can_be_read_from_its_name(
    account_id: str, region: str, repository: str
) -> None:
    image = f"{account_id}.dkr.ecr.{region}.amazonaws.com/{repository}@sha256:{'ab' * 32}"
    assert read_settings(RIGHT | {"IMAGE": image}).registry == Registry(account_id, region, repository)


@pytest.mark.parametrize(
    "name",
    ["registry.example/web", "web", "public.ecr.aws/a/web", "1.dkr.ecr.eu-central-1.amazonaws.com/web"],
)
def test_an_image_of_another_registry_has_no_place_in_ecr(name: str) -> None:
    assert read_settings(RIGHT | {"IMAGE": f"{name}@sha256:{'ab' * 32}"}).registry is None
