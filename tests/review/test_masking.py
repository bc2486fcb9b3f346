import base64
import gzip
import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.model import UNKNOWN, Document, Masked, Special, Tree
from review.reading.masking import tree_of, trees_of
from review.reading.secret_detection import REDACTED, is_secret_name, is_secret_shape, redact

CANARY = "canary-0f1e2d"
HEX = "0123456789abcdef"

AWS_KEY = "AK" + "IA" + "Q" * 16
SHAPES = [
    AWS_KEY,
    "AS" + "IA" + "Q" * 16,
    "gh" + "p_" + "a1" * 18,
    "github" + "_pat_" + "a1" * 20,
    "gl" + "pat-" + "a1" * 10,
    "xo" + "xb-" + "1234567890-abc",
    "https://hooks." + "slack.com/services/T000/B000/" + "a1" * 8,
    "sk" + "_live_" + "a1" * 10,
    "AI" + "za" + "b" * 35,
    "np" + "m_" + "a1" * 18,
    "py" + "pi-" + "a1" * 30,
    "ey" + "J" + "a1" * 10 + ".ey" + "J" + "b2" * 10 + ".c3",
    "-----BEGIN RSA PRIVATE" + " KEY-----\nabc\n-----END RSA PRIVATE" + " KEY-----",
    "-----BEGIN PRIVATE" + " KEY-----",
    "https://user:hunter2@example.com/x",
    "https://" + "a1" * 10 + "@example.com",
    "postgres://app:hunter2@db:5432/app",
    "postgres://:hunter2@db",
    "Server=db;User Id=app;Password=hunter2;",
    "DefaultEndpointsProtocol=https;AccountName=x;AccountKey=" + "a1" * 20 + "==",
    "Authorization: Basic " + "dXNlcjpwYXNz",
    "Bearer " + "a1" * 10,
    "export DB_PASSWORD=hunter2",
    "DB_PASSWORD='hunter 2'",
    "password: hunter2",
    "password:hunter2",
    '{"password": "hunter2", not JSON',
    '{\\"password\\":\\"hunter2\\"}',
    "app --db-password hunter2",
    "curl -H 'X-Api-Key: hunter2'",
    "https://example.com/?token=hunter2",
    'secret_key = "hunter2"',
    'if password == "hunter2"',
    'var.db_password is "hunter2"',
    base64.b64encode(b"#!/bin/sh\nexport DB_PASSWORD=hunter2\n").decode(),
    base64.b64encode(gzip.compress(b"#!/bin/sh\nexport DB_PASSWORD=hunter2\n", mtime=0)).decode(),
]

PLAIN = [
    "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dev/web/token-AbCdEf",
    "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dev-password:password::",
    "sha256:" + "0f" * 32,
    "0f" * 20,
    "111111111111.dkr.ecr.eu-central-1.amazonaws.com/oauth-token:1.2.3",
    "111111111111.dkr.ecr.eu-central-1.amazonaws.com/web@sha256:" + "0f" * 32,
    "7c9e6679-7425-40de-944b-e07fc1f90ae7",
    "token.actions.githubusercontent.com:sub",
    "https://token.actions.githubusercontent.com",
    "repo:example/secret:environment:prod",
    "secretsmanager:GetSecretValue",
    "token:read",
    "ssh://git@example.com/x",
    "alice@example.com",
    "https://example.com:8443/a@b",
    "TOKEN=$(curl -X PUT http://169.254.169.254/latest/api/token)",
    "X-aws-ec2-metadata-token: $TOKEN",
    "docker login --username AWS --password-stdin example.com",
    "The token is not set",
    "Basic monitoring of the network",
    "--password",
    "password = var.db_password",
    "password = (sensitive value)",
    "password = null",
    "X-aws-ec2-metadata-token-ttl-seconds: 21600",
    base64.b64encode(b"#!/bin/sh\necho all is well; sleep 3\n").decode(),
    '{ $.errorCode = "*UnauthorizedOperation" }',
    "sk-" + "-".join(["web"] * 20),
]

SECRET_NAMES = [
    "password",
    "PGPASSWORD",
    "DB_PASSWORD",
    "dbPassword",
    "db-password",
    "Password",
    "password_wo",
    "passwd",
    "DB_PASS",
    "secret",
    "client_secret",
    "clientSecret",
    "SECRET_KEY_BASE",
    "secret_string",
    "token",
    "GITHUB_TOKEN_2",
    "authToken",
    "TOKEN_SHA256",
    "apiKey",
    "APIKey",
    "X-Api-Key",
    "api_key",
    "apikey",
    "private_key_pem",
    "AWS_SECRET_ACCESS_KEY",
    "access_keys",
    "credentials",
    "connectionString",
    "ConnectionStrings__Default",
    "connection-string",
    "Authorization",
    "basic_auth",
    "/dev/web/token",
    "spring.datasource.password",
    "tunnel1_preshared_key",
    "SENTRY_DSN",
]
OTHER_NAMES = [
    "secret_arn",
    "secret_name",
    "secret_id",
    "AWS_ACCESS_KEY_ID",
    "valueFrom",
    "kms_key_id",
    "kms_master_key_id",
    "customer_master_key_spec",
    "key",
    "hash_key",
    "public_key",
    "http_tokens",
    "creation_token",
    "enable_key_rotation",
    "password_length",
    "minimum_password_length",
    "password_reuse_prevention",
    "max_tokens",
    "token_ttl",
    "password_policy",
    "auth_token_update_strategy",
    "token_validity_units",
    "secretOptions",
    "api_key_source",
    "token_endpoint",
    "PASSWORD_FILE",
    "token.actions.githubusercontent.com:sub",
    "aws:TokenIssueTime",
    "iam:PassRole",
    "author",
    "compass",
    "keyboard",
    "",
]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_names_of_secrets_are_known_however_they_are_written(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize("name", OTHER_NAMES)
def test_a_name_that_only_speaks_about_a_secret_is_none(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize("text", SHAPES)
def test_a_secret_is_known_by_its_shape(text: str) -> None:
    assert isinstance(tree_of(text), Masked)


@pytest.mark.parametrize("text", SHAPES[:-2])
def test_a_secret_is_known_within_a_longer_text(text: str) -> None:
    assert isinstance(tree_of(f"before\n{text}\nafter"), Masked)


@pytest.mark.parametrize("text", PLAIN)
def test_what_only_looks_like_a_secret_stays_readable(text: str) -> None:
    assert tree_of(text) == text
    assert redact(text) == text


@pytest.mark.parametrize("text", [shape for shape in SHAPES if "hunter" in shape])
def test_redacting_leaves_nothing_of_a_password_in_a_free_text(text: str) -> None:
    redacted = redact(f"Error: {text} is wrong\n\non main.tf line 3")
    assert "hunter" not in redacted
    assert redacted.startswith("Error: ")
    assert redacted.endswith("on main.tf line 3")


@pytest.mark.parametrize(
    "text", [shape for shape in SHAPES if "hunter" not in shape and "\n" not in shape][:-2]
)
def test_redacting_replaces_tokens_and_keeps_the_text_around(text: str) -> None:
    redacted = redact(f"one\n{text}\ntwo")
    assert text not in redacted
    assert REDACTED in redacted
    assert redacted.startswith("one\n")


def test_redacting_a_private_key_takes_all_of_it_even_when_its_end_is_missing() -> None:
    begin, end = "-----BEGIN EC PRIVATE" + " KEY-----", "-----END EC PRIVATE" + " KEY-----"
    assert redact(f"a\n{begin}\nabc\n{end}\nb") == f"a\n{REDACTED}\nb"
    assert redact(f"a\n{begin}\nabc") == f"a\n{REDACTED}"


def test_redacting_twice_is_redacting_once() -> None:
    text = "\n".join(SHAPES)
    assert redact(redact(text)) == redact(text)


def test_sensitive_values_are_masked_at_any_level() -> None:
    value = {"a": "x", "b": {"c": ["y", "z"]}, "d": [{"e": 1}]}
    assert isinstance(tree_of(value, sensitive=True), Masked)
    tree = tree_of(value, {"a": True, "b": {"c": [False, True]}, "d": [{"e": True}]})
    assert tree == {
        "a": tree_of("x", sensitive=True),
        "b": {"c": ["y", tree_of("z", sensitive=True)]},
        "d": [{"e": tree_of(1, sensitive=True)}],
    }


@pytest.mark.parametrize(
    ("value", "sensitive"),
    [
        ("x", {"a": True}),
        ("x", [True]),
        ({"a": "x"}, [True]),
        (["x"], {"a": True}),
        (["x", "y"], [True]),
        (["x"], [False, True]),
        (7, {"a": {"b": True}}),
        ("x", "yes"),
        ({"a": "x"}, 1),
    ],
)
def test_where_the_marks_do_not_fit_the_value_all_of_it_is_masked(value: Any, sensitive: Any) -> None:
    assert isinstance(tree_of(value, sensitive), Masked)


@pytest.mark.parametrize("marks", [{}, [], False, None, [False], {"a": False}, [[], {}]])
def test_marks_that_mark_nothing_change_nothing(marks: Any) -> None:
    for value in ("x", ["x"], {"a": "x"}, 1, None, True):
        assert tree_of(value, marks, marks) == value


def test_what_is_unknown_is_so_where_the_value_has_nothing_or_is_sensitive() -> None:
    tree = tree_of(
        {"a": "x", "list": [None, "y"], "secret": None},
        {"secret": True, "password": True},
        {
            "id": True,
            "list": [True, False],
            "secret": True,
            "password": True,
            "deep": {"b": [False, True]},
            "no": {},
        },
    )
    assert tree == {
        "a": "x",
        "list": [UNKNOWN, "y"],
        "secret": UNKNOWN,
        "id": UNKNOWN,
        "password": UNKNOWN,
        "deep": {"b": [None, UNKNOWN]},
    }


@pytest.mark.parametrize("unknown", [{"a": True}, [True], True, 1, "yes"])
def test_where_unknown_does_not_fit_the_value_it_counts_as_unknown(unknown: Any) -> None:
    assert tree_of("x", unknown=unknown) is UNKNOWN
    assert tree_of({"a": {"b": "x"}}, unknown={"a": [True]}) == {"a": UNKNOWN}
    assert tree_of(["x"], unknown=[False, True]) == ["x", UNKNOWN]


def test_a_null_is_shown_and_so_is_a_switch_under_a_secret_name() -> None:
    assert tree_of({"password": None, "token": True}) == {"password": None, "token": True}
    assert tree_of({"a": None}, {"a": True}) == {"a": None}


def test_the_same_value_gets_the_same_mark_and_others_another() -> None:
    assert tree_of("x", sensitive=True) == tree_of("x", sensitive=True)
    marks = [tree_of(value, sensitive=True) for value in ("x", "y", 1, 1.0, True, "1", [1], {"a": 1}, "")]
    assert len(set(map(repr, (mark.mark for mark in marks if isinstance(mark, Masked))))) == 9
    assert repr(marks[0]) == "Masked()"


def test_a_value_is_masked_by_the_name_beside_it() -> None:
    environment = [
        {"name": "DB_PASSWORD", "value": "hunter2"},
        {"name": "LOG_LEVEL", "value": "debug"},
        {"key": "token", "value": "hunter2", "propagate_at_launch": True},
        {"name": "TOKEN", "value": "dev/token", "type": "SECRETS_MANAGER"},
    ]
    assert tree_of(environment) == [
        {"name": "DB_PASSWORD", "value": tree_of("hunter2", sensitive=True)},
        {"name": "LOG_LEVEL", "value": "debug"},
        {"key": "token", "value": tree_of("hunter2", sensitive=True), "propagate_at_launch": True},
        {"name": "TOKEN", "value": "dev/token", "type": "SECRETS_MANAGER"},
    ]


def test_references_to_secrets_stay_readable() -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:111111111111:secret:dev"
    value: dict[str, Any] = {
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": arn}, {"name": "TOKEN", "valueFrom": "/dev/token"}],
        "repositoryCredentials": {"credentialsParameter": arn},
        "master_user_secret": [{"kms_key_id": "x", "secret_arn": arn, "secret_status": "active"}],
        "authorization": "AWS_IAM",
        "token_validity_units": [{"access_token": "hours"}],
        "metadata_options": [{"http_tokens": "required"}],
        "password_policy": [{"minimum_length": 8, "temporary_password_validity_days": 7}],
        "tags": {"Name": "secret-rotator"},
        "password": "",
    }
    assert tree_of(value) == value


def test_what_stands_in_an_object_with_a_secret_name_is_masked() -> None:
    tree = tree_of(
        {"secrets": {"a": "x", "b": {"c": ["y"]}}, "tokens": ["z", 7], "credentials": {"username": "u"}}
    )
    assert tree == {
        "secrets": {"a": tree_of("x", sensitive=True), "b": {"c": [tree_of("y", sensitive=True)]}},
        "tokens": [tree_of("z", sensitive=True), tree_of(7, sensitive=True)],
        "credentials": {"username": "u"},
    }


def test_the_value_after_an_option_with_a_secret_name_is_masked() -> None:
    masked = tree_of("hunter2", sensitive=True)
    assert tree_of(["app", "--db-password", "hunter2", "--port", "80"]) == [
        "app",
        "--db-password",
        masked,
        "--port",
        "80",
    ]
    [joined] = _items(tree_of(["--db-password=hunter2"]))
    assert isinstance(joined, Masked)


def test_json_in_a_string_is_parsed_and_masked_within() -> None:
    inner = json.dumps({"password": "hunter2", "port": 80})
    text = json.dumps(
        [{"name": "web", "environment": [{"name": "TOKEN", "value": "hunter2"}], "inner": inner}]
    )
    masked = tree_of("hunter2", sensitive=True)
    assert tree_of(text) == Document(
        [
            {
                "name": "web",
                "environment": [{"name": "TOKEN", "value": masked}],
                "inner": Document({"password": masked, "port": 80}),
            }
        ]
    )
    assert isinstance(tree_of(text, sensitive=True), Masked)
    assert isinstance(tree_of({"secret": text}), dict)
    assert "hunter2" not in repr(tree_of({"secret": text}))


def test_json_within_json_is_parsed_to_a_small_depth_and_masked_behind_it() -> None:
    text = json.dumps({"password": "hunter2"})
    for _ in range(6):
        text = json.dumps({"next": text})
    assert "hunter2" not in repr(tree_of(text))


@pytest.mark.parametrize("text", ["{ not JSON }", "[INFO] x", "{", "[1, 2", "42", '"x"', "null", "", " "])
def test_what_is_no_object_or_list_stays_a_text(text: str) -> None:
    assert tree_of(text) == text


def test_what_is_nested_too_deep_is_masked() -> None:
    value: Any = "x"
    for _ in range(200):
        value = [value]
    assert "x" not in repr(tree_of(value))
    assert "Masked" in repr(tree_of(value))
    assert isinstance(tree_of("[" * 100_000 + "]" * 100_000), Masked)


def test_a_key_that_is_a_secret_is_replaced_and_none_is_lost() -> None:
    tree = tree_of({AWS_KEY: 1, AWS_KEY[:-1] + "R": 2, "a": 3}, unknown={AWS_KEY[:-1] + "S": True})
    assert tree == {REDACTED: 1, f"{REDACTED} 2": 2, "a": 3, f"{REDACTED} 3": UNKNOWN}


def test_lone_surrogates_do_no_harm() -> None:
    text = json.loads('"\\ud800 password=hunter2"')
    assert isinstance(tree_of(text), Masked)
    assert isinstance(tree_of(text, sensitive=True), Masked)
    assert tree_of({"\udfff": "\ud800x"}) == {"\udfff": "\ud800x"}


HOSTILE = [
    "a" * 300_000,
    "eyJ" * 100_000,
    "eyJaaaaaaaa." * 30_000,
    "://" * 100_000,
    "://a:" * 60_000,
    "-----BEGIN " * 30_000,
    ("-----BEGIN " + "A" * 40) * 6_000,
    ("-----BEGIN PRIVATE" + " KEY-----") * 10_000,
    "password" * 40_000,
    "password=" * 30_000,
    "password:" * 30_000,
    "=" * 300_000,
    " " * 300_000 + "password",
    "token \t" * 50_000,
    "\\" * 300_000 + "token",
    "--a" * 100_000 + " token",
    " --token " * 30_000,
    "Bearer " * 40_000,
    "Bearer " + "a" * 300_000,
    "sk-" * 100_000,
    "A" * 300_000 + "=",
    '"' * 300_000 + "token=",
    "x.atlasv1." * 30_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_long_hostile_texts_are_judged_in_linear_time(text: str) -> None:
    started = time.thread_time()
    tree_of(text)
    redact(text)
    # Each takes less than a fifth of this; with a quadratic expression, minutes.
    assert time.thread_time() - started < 2


names = st.sampled_from(["a", "b", "name", "port", "tags", "value", "environment", "key", "list"])
plain = st.one_of(st.none(), st.booleans(), st.integers(), st.text(alphabet="xyz ", max_size=8))
marked = st.sampled_from(["marked", "named", "pair", "shape", "text", "option", "whole"])


@st.composite
def hidden(draw: st.DrawFn) -> tuple[Any, Any]:
    """A value that holds the canary, with the marks that go with it."""
    kind = draw(marked)
    if kind == "marked":
        return draw(st.sampled_from([CANARY, [CANARY], {"a": {"b": CANARY}}])), True
    if kind == "named":
        name = draw(st.sampled_from(SECRET_NAMES))
        return {name: draw(st.sampled_from([CANARY, [CANARY], {"a": [CANARY]}]))}, {}
    if kind == "pair":
        return [{"name": draw(st.sampled_from(SECRET_NAMES)), "value": CANARY}], []
    if kind == "shape":
        return f"https://user:{CANARY}@example.com", False
    if kind == "text":
        return json.dumps({draw(st.sampled_from(SECRET_NAMES)): CANARY}), False
    if kind == "option":
        return ["run", "--password", CANARY], []
    return {"a": CANARY}, draw(st.sampled_from([[True], "x", 1]))


@st.composite
def values(draw: st.DrawFn, depth: int = 0) -> tuple[Any, Any]:
    kind = draw(
        st.sampled_from(["plain", "hidden", "dict", "list", "json"] if depth < 4 else ["plain", "hidden"])
    )
    if kind == "plain":
        return draw(plain), draw(st.sampled_from([False, None]))
    if kind == "hidden":
        return draw(hidden())
    if kind == "dict":
        parts = {key: draw(values(depth + 1)) for key in draw(st.lists(names, unique=True, max_size=4))}
        return {key: value for key, (value, _) in parts.items()}, {
            key: mark for key, (_, mark) in parts.items()
        }
    items = draw(st.lists(values(depth + 1), max_size=4))
    if kind == "list":
        return [value for value, _ in items], [mark for _, mark in items]
    # Within a string nothing is marked, so what Terraform marks there is the string.
    value = [value for value, _ in items]
    return json.dumps(value), True


def leaves(tree: Tree) -> Iterator[object]:
    if isinstance(tree, Document):
        yield from leaves(tree.content)
    elif isinstance(tree, dict):
        for key, value in tree.items():
            yield key
            yield from leaves(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from leaves(value)
    else:
        yield tree


@given(values())
def test_no_secret_is_anywhere_in_a_tree(value: tuple[Any, Any]) -> None:
    tree = tree_of(*value)
    assert CANARY not in repr(tree)
    assert not any(CANARY in str(leaf) for leaf in leaves(tree))


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(alphabet="xyz[]{}: ", max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(alphabet="abc", max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=20,
)


def as_json(tree: Tree) -> Any:
    if isinstance(tree, dict):
        return {key: as_json(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [as_json(value) for value in tree]
    return tree


@given(json_values)
def test_what_is_no_secret_keeps_its_structure(value: Any) -> None:
    def without_documents(part: Any) -> Any:
        if isinstance(part, dict):
            return {key: without_documents(item) for key, item in part.items()}
        if isinstance(part, list):
            return [without_documents(item) for item in part]
        return part if not isinstance(part, str) or part[:1] not in {"[", "{", " "} else "x"

    value = without_documents(value)
    assert as_json(tree_of(value)) == value


@given(anything, anything, anything)
def test_any_values_and_marks_give_a_tree(value: Any, sensitive: Any, unknown: Any) -> None:
    for leaf in leaves(tree_of(value, sensitive, unknown)):
        assert leaf is None or isinstance(leaf, (bool, int, float, str, Masked, Special))
    tree_of(json.dumps(value), sensitive, unknown)


pieces = st.sampled_from(
    [
        "password",
        "token",
        "=",
        ":",
        " ",
        '"',
        "'",
        "\\",
        "-",
        "--",
        "hunter2",
        "x",
        "/",
        "@",
        "://",
        "\n",
        " is ",
        "Basic ",
        "$",
    ]
)


@given(st.lists(pieces, max_size=14).map("".join))
def test_what_is_redacted_shows_no_secret_any_more(text: str) -> None:
    redacted = redact(text)
    assert redact(redacted) == redacted
    assert is_secret_shape(redacted) is False


def test_a_secret_behind_base64_within_a_text_is_redacted() -> None:
    packed = base64.b64encode(b"DB_PASSWORD=correct-horse and more").decode()
    assert redact(f"Error: user data {packed} is refused") == "Error: user data (sensitive value) is refused"
    harmless = base64.b64encode(b"nothing but a text that is long enough").decode()
    assert redact(f"Error: {harmless}") == f"Error: {harmless}"


@pytest.mark.parametrize("space", ["\n", "\u2028", "\x1c", "\u3000", "\x85"])
def test_a_secret_behind_base64_is_seen_whatever_space_follows(space: str) -> None:
    secret = base64.b64encode(b"DB_PASSWORD=correct-horse and more").decode()
    harmless = base64.b64encode(b"nothing but a text that is long enough").decode()
    assert is_secret_shape(f"{secret}{space}")
    assert not is_secret_shape(f"{harmless}{space}")


def test_the_order_of_keys_is_that_of_terraform_and_that_of_the_author_in_json_texts() -> None:
    assert list(_keys(tree_of({"b": 1, "a": 2}, False, {"d": True, "c": True}))) == ["a", "b", "c", "d"]
    document = tree_of('{"b": 1, "a": 2}')
    assert isinstance(document, Document)
    assert list(_keys(document.content)) == ["b", "a"]


def _keys(tree: Tree) -> dict[str, Tree]:
    assert isinstance(tree, dict)
    return tree


def _items(tree: Tree) -> list[Tree]:
    assert isinstance(tree, list)
    return tree


sides = st.dictionaries(
    names | st.sampled_from(["type", "db_password", AWS_KEY]),
    plain | st.sampled_from(["db_password", "arn:aws:x", AWS_KEY, '{"a": 1}']) | json_values,
    max_size=5,
)
part_marks = st.none() | st.dictionaries(
    names, st.sampled_from([True, False, {"a": True}, [True]]), max_size=3
)


@given(sides, sides, st.booleans(), part_marks | st.just(True), part_marks | st.just(True))
def test_both_sides_of_a_change_are_as_each_is_alone(
    before: dict[str, Any], other: dict[str, Any], mostly_same: bool, sensitive: Any, unknown: Any
) -> None:
    after = before | other if mostly_same else other
    old, new = trees_of(before, after, sensitive, unknown)
    assert (old, new) == (tree_of(before, sensitive), tree_of(after, sensitive, unknown))
    assert repr(old) == repr(tree_of(before, sensitive))


def test_what_a_change_leaves_as_it_is_is_one_object_on_both_sides() -> None:
    old, new = trees_of({"a": [1, "x"], "b": [1]}, {"a": [1, "x"], "b": [True]}, None, None)
    assert isinstance(old, dict)
    assert isinstance(new, dict)
    assert old["a"] is new["a"]
    assert repr(new["b"]) == "[True]"
