"""Recognises secrets by name and by shape.

A name that only describes a secret (`secret_arn`, `token_ttl`, `password_length`) is not one. Shapes are
keys, tokens, private keys, passwords within addresses and settings. All expressions take time in proportion
to the text: they begin at a fixed text or at the beginning of a word, so that their runs cannot overlap, or
they are bounded.
"""

import base64
import binascii
import re
import zlib
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Final

WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
SECRET: Final = re.compile(
    r"""
    (?:\w*(?:password|passwd|passphrase|pwd|secret|token|credential|api_?key|secretkey|accesskey|privatekey
        |connectionstring)s?)
    | passcode | creds | dsn | psk | pat | jwt | bearer | pw | pass | salt | cookie
    """,
    re.VERBOSE,
)
LAST_ONLY: Final = frozenset({"auth", "authorization"})
BEFORE_KEY: Final = re.compile(
    r"""
    api | private | access | secret | signing | encryption | master | account | storage | shared | preshared
    | session | license | auth | customer | fernet | hmac | deploy | webhook | ssh | tls | app
    """,
    re.VERBOSE,
)
"""Words that make `key` a secret; `public_key`, `hash_key` and the `key` of a tag are not secret."""

ABOUT: Final = re.compile(
    r"""
    (?:action | alg | algorithm | arn | attempt | attribute | audience | bucket | column | condition |
    count | date | day | domain | endpoint | expression | field | file | flow | group | header | hour | id
    | identifier | label | limit | location | method | minute | mode | name | option | parameter | path |
    period | policie | port | provider | queue | ref | reference | region | requirement | role | rule |
    scope | second | setting | size | source | spec | table | template | time | topic | type | unit | uri
    | url | user | username | vault | version | window)s? | age | at | class | config | configuration |
    description | duration | enabled | expiration | expires | expiry | format | from | generation |
    history | host | index | issuer | kind | length | lifetime | manager | max | min | policy | prefix |
    present | prevention | required | rotation | status | stdin | store | strategy | suffix | support |
    supported | timeout | ttl | update | usage | used | validity
    """,
    re.VERBOSE,
)
"""Last words of names that describe a secret; a secret there is still recognised by its shape."""

BEFORE_SEED: Final = frozenset({"otp", "totp", "hotp", "mfa", "string"})
"""Words that make `seed` a secret: one-time passwords are computed from it."""

ABOUT_FIRST: Final = frozenset(
    {"enable", "disable", "manage", "max", "min", "maximum", "minimum", "num", "number"}
)
NOT_SECRET: Final = frozenset(
    {"http tokens", "creation token", "request token", "idempotency token", "lock token"}
)
"""Ends of AWS's names for settings and handles: http_tokens is required or optional."""

UNMARKED: Final[Mapping[str, tuple[str, ...]]] = {
    "acme_certificate": ("certificate_p12",),
    "aws_iam_virtual_mfa_device": ("base_32_string_seed", "qr_code_png"),
    "aws_ssm_parameter": ("value",),
    "aws_vpn_connection": ("customer_gateway_configuration",),
    "azurerm_application_insights": ("instrumentation_key", "connection_string"),
    "azurerm_cosmosdb_account": (
        "primary_key",
        "secondary_key",
        "primary_readonly_key",
        "secondary_readonly_key",
    ),
    "azurerm_eventhub_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_eventhub_namespace_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_kubernetes_cluster": (
        "kube_admin_config",
        "kube_admin_config_raw",
        "kube_config",
        "kube_config_raw",
    ),
    "azurerm_search_service": ("primary_key", "secondary_key"),
    "azurerm_servicebus_namespace_authorization_rule": ("primary_key", "secondary_key"),
    "azurerm_servicebus_queue_authorization_rule": ("primary_key", "secondary_key"),
    "cloudinit_config": ("rendered",),
    "github_actions_environment_secret": ("plaintext_value", "encrypted_value"),
    "github_actions_organization_secret": ("plaintext_value", "encrypted_value"),
    "github_actions_secret": ("plaintext_value", "encrypted_value"),
    "github_dependabot_secret": ("plaintext_value", "encrypted_value"),
    "gitlab_project_variable": ("value",),
    "helm_release": ("set_sensitive", "set_wo"),
    "htpasswd_password": ("apr1", "bcrypt", "sha256", "sha512"),
    "kubernetes_secret": ("data", "binary_data", "string_data"),
    "kubernetes_secret_v1": ("data", "binary_data", "string_data"),
    "kubernetes_secret_v1_data": ("data",),
    "local_file": ("sensitive_content",),
    "local_sensitive_file": ("content", "content_base64"),
    "pagerduty_service_integration": ("integration_key",),
    "random_bytes": ("base64", "hex"),
    "random_password": ("result", "bcrypt_hash"),
    "sops_file": ("raw", "data"),
    "tls_private_key": ("private_key_pem", "private_key_openssh", "private_key_pem_pkcs8"),
    "vault_approle_auth_backend_role_secret_id": ("secret_id", "wrapping_token"),
    "vault_generic_secret": ("data", "data_json"),
    "vault_kv_secret": ("data", "data_json"),
    "vault_kv_secret_v2": ("data", "data_json"),
}
"""Attributes that are secret, although formats before 1.0 do not mark them and their names do not say so."""

SECRET_VALUES: Final = ("key", "value")
"""Attributes that are secret if the name of the type says that it is a secret: `datadog_api_key`."""


@lru_cache(maxsize=65_536)
def is_secret_name(name: str) -> bool:
    """Returns whether a value with this name is a secret, judging by the name alone.

    Of a path or a dotted name the last part counts.
    """
    words = words_of(re.split(r"[./:]", name[-256:])[-1])
    while words and words[-1].isdigit():
        words.pop()
    if (
        not words
        or ABOUT.fullmatch(words[-1])
        or words[0] in ABOUT_FIRST
        or " ".join(words[-2:]) in NOT_SECRET
    ):
        return False
    return words[-1] in LAST_ONLY or any(
        SECRET.fullmatch(word)
        or (word in {"key", "keys"} and BEFORE_KEY.fullmatch(before))
        or (word in {"string", "strings", "str"} and before in {"connection", "conn"})
        or (word == "seed" and before in BEFORE_SEED)
        or (word == "verify" and before == "origin")
        for before, word in zip(["", *words], words, strict=False)
    )


@lru_cache(maxsize=4_096)
def is_reference_name(name: str) -> bool:
    """Returns whether a name inside a secret's object says where or what it is, not its value."""
    words = words_of(name)
    return bool(words) and ABOUT.fullmatch(words[-1]) is not None


def words_of(name: str) -> list[str]:
    """Splits a name in snake_case, camelCase, kebab-case or UPPER_CASE into words in lower case."""
    return [word.lower() for word in WORD.findall(name)]


REDACTED: Final = "(sensitive value)"
SHORTEST: Final = 6
LARGEST_UNPACKED: Final = 1 << 20
LONGEST_NAME: Final = 64

TOKEN: Final = re.compile(
    r"""
    (?<![A-Za-z0-9])(?:
        A[KS]IA[A-Z0-9]{16}(?![A-Za-z0-9])                      # AWS access keys
      | gh[oprsu]_[A-Za-z0-9]{30,} | github_pat_\w{20,}         # GitHub
      | gl(?:pat|dt|rt|cbt|ptt|ft|soat)-[\w-]{16,}              # GitLab
      | xox[abeoprs]-[\w-]{10,} | xapp-[\w-]{10,}               # Slack
      | (?:sk|rk)_(?:live|test)_\w{10,} | whsec_\w{16,}         # Stripe
      | sk-(?=[\w-]{0,40}[0-9])[\w-]{32,}                       # OpenAI, Anthropic
      | AIza[\w-]{35} | ya29\.[\w-]{20,} | GOCSPX-[\w-]{20,}    # Google
      | npm_[A-Za-z0-9]{30,} | pypi-[\w-]{50,}                  # npm, PyPI
      | dckr_pat_[\w-]{20,} | hv[sbr]\.[\w-]{20,}               # Docker Hub, Vault
      | SG\.[\w-]{16,}\.[\w-]{16,}                              # SendGrid
      | do[opr]_v1_[0-9a-f]{32,} | dapi[0-9a-f]{32}(?!\w)       # DigitalOcean, Databricks
      | NRAK-[A-Z0-9]{20,} | ATATT[\w=-]{30,}                   # New Relic, Atlassian
      | [0-9A-Za-z]{14}\.atlasv1\.[\w-]{30,}                    # HCP Terraform
      | eyJ[\w-]{8,}\.eyJ[\w-]{8,}(?:\.[\w-]*)?                 # JSON Web Tokens
      | (?:[Bb]asic|[Bb]earer|BASIC|BEARER)[ ]{1,4}(?=[A-Za-z+/._~-]{0,200}[0-9=])[\w+/.~=-]{12,}
    )
    | hooks\.slack\.com/(?:services|workflows|triggers)/[\w/-]{10,}
    """,
    re.VERBOSE | re.ASCII,
)
HINTS: Final = re.compile(
    r"[KS]IA[A-Z0-9]|gh[oprsu]_|_pat_|gl[a-z]+-|xox|xapp-|_live_|_test_|whsec_|sk-|AIza|ya29|GOCSPX|npm_|pypi-"
    r"|hv[sbr]\.|SG\.|_v1_|dapi|NRAK|ATATT|\.atlasv1|eyJ|asic |ASIC |earer |EARER |hooks\.slack"
)
PRIVATE_KEY: Final = re.compile(
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.*?-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|.*\Z)",
    re.DOTALL,
)
PRIVATE_KEY_BEGIN: Final = re.compile(r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY")
URL_PASSWORD: Final = re.compile(r"(?<=://)(?:[^\s/?#@:\"'<>]*:[^\s/?#@\"'<>]+|[^\s/?#@:\"'<>]{16,})(?=@)")

SECRET_MANIFEST: Final = re.compile(r"^[ \t-]{0,64}kind:[ \t]{0,8}[\"']?Secret\b", re.MULTILINE)
"""A Kubernetes Secret in YAML, of which every value is secret."""

ASSIGNED: Final = re.compile(
    r"(?:\\{0,3}[\"'])?[ \t]{0,8}(?P<sign>[=!]=|=>|:=|=|:|\bis\b)(?P<gap>[ \t]{0,8})\[?"
    r"(?P<escape>\\{0,3})(?P<quote>[\"']?)(?=[^\s\"',;&\\])"
)
QUOTED: Final = {'"': re.compile(r'(?:[^"\\\n]|\\.)+'), "'": re.compile(r"(?:[^'\\\n]|\\.)+")}
ESCAPED: Final = re.compile(r"[^\\\"'\n]+")
SCHEME: Final = re.compile(r"(?:Basic|Bearer|Token)[ ]", re.IGNORECASE)
BARE: Final = re.compile(r"(?:(?:Basic|Bearer|Token)[ ]{1,8})?[^\s\"',;&]+", re.IGNORECASE)
DIGIT: Final = re.compile(r"[0-9]")
OPTION: Final = re.compile(
    r"(?<!\S)--?(?P<name>[A-Za-z][\w-]{2,63})[ \t]{1,8}[\"']?(?P<value>[^\s\"'|>&-][^\s\"']*)", re.ASCII
)
HARMLESS: Final = re.compile(
    r"(?:var|local|data|module|each|random_\w+|aws_\w+)\.|arn:|\$[({]|\{\{|\((?:sensitive|known)\b"
    r"|(?:\$[A-Z_][A-Z0-9_]*|%[A-Z_]+%|<[\w -]*>?|\*+|(?i:null|true|false|none))[)\]}.]*\Z",
    re.ASCII,
)
"""Values that refer to a secret, or are placeholders: `var.token`, `$TOKEN`, `***`."""

STEMS: Final = (
    "pass",
    "pwd",
    "secret",
    "token",
    "key",
    "cred",
    "auth",
    "dsn",
    "psk",
    "conn",
    "pat",
    "jwt",
    "bearer",
)
BASE64: Final = re.compile(r"[A-Za-z0-9+/\r\n]{30,}={0,2}\s*")
BASE64_WORD: Final = re.compile(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/]{30,}={0,2}")
IDENTIFIER: Final = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.")


def secret_attributes(type: str) -> tuple[str, ...]:
    """Returns the attributes of a resource type that are secret whether a plan marks them or not."""
    return UNMARKED.get(type, SECRET_VALUES if is_secret_name(type) else ())


def is_secret_shape(text: str) -> bool:
    """Returns whether a text is or contains a secret by its shape, also in base64 or gzip."""
    if len(text) < SHORTEST:
        return False
    return _is_short_secret(text) if len(text) <= 256 else _is_secret(text)


@lru_cache(maxsize=4_096)
def redact(text: str) -> str:
    """Replaces each secret in free text, such as Terraform's errors."""
    text = PRIVATE_KEY.sub(REDACTED, text)
    text = URL_PASSWORD.sub(REDACTED, text)
    text = TOKEN.sub(REDACTED, text)
    text = BASE64_WORD.sub(lambda word: REDACTED if _is_plain_secret(_decoded(word[0])) else word[0], text)
    pieces = []
    end = 0
    for start, stop in sorted(_assigned(text)):
        if start >= end:
            pieces += [text[end:start], REDACTED]
            end = stop
    return "".join([*pieces, text[end:]]) if pieces else text


@lru_cache(maxsize=32_768)
def _is_short_secret(text: str) -> bool:
    return _is_secret(text)


def _is_secret(text: str) -> bool:
    return _is_plain_secret(text) or (
        len(text) >= 32 and BASE64.fullmatch(text) is not None and _is_plain_secret(_decoded(text.rstrip()))
    )


def _is_plain_secret(text: str) -> bool:
    return (
        (HINTS.search(text) is not None and TOKEN.search(text) is not None)
        or ("-----BEGIN" in text and PRIVATE_KEY_BEGIN.search(text) is not None)
        or ("Secret" in text and SECRET_MANIFEST.search(text) is not None)
        or ("://" in text and "@" in text and URL_PASSWORD.search(text) is not None)
        or next(_assigned(text), None) is not None
    )


def _decoded(text: str) -> str:
    """Decodes base64, byte by character; empty if it is not base64."""
    try:
        raw = base64.b64decode(text)
        if raw.startswith(b"\x1f\x8b"):
            raw = zlib.decompressobj(wbits=31).decompress(raw, LARGEST_UNPACKED)
    except (binascii.Error, zlib.error):
        return ""
    return raw.decode("latin-1")


def _assigned(text: str) -> Iterator[tuple[int, int]]:
    """Yields spans of values assigned to a secret name: `PASSWORD=x`, `"token": "x"`, `--password x`."""
    if not ("=" in text or ":" in text or " is " in text or " -" in text or text.startswith("-")):
        return
    lower = text.lower()
    if not any(stem in lower for stem in STEMS):
        return
    bare_end = 0
    for match in ASSIGNED.finditer(text):
        start = match.end()
        if match["escape"] or match["quote"]:
            pattern = ESCAPED if match["escape"] else QUOTED[match["quote"]]
            end = _end(pattern, text, start)
        else:
            # Nested values without quotes end together; searching again for each would be quadratic.
            if start >= bare_end or SCHEME.match(text, start):
                bare_end = _end(BARE, text, start)
            end = bare_end
        name = _word_before(text, match.start())
        if not name or not is_secret_name(name):
            continue
        if not HARMLESS.match(text, start, end) and not _is_other(text, name, match, end):
            yield start, end
    for match in OPTION.finditer(text):
        if is_secret_name(match["name"]) and not HARMLESS.match(match["value"]):
            yield match.span("value")


def _end(pattern: re.Pattern[str], text: str, start: int) -> int:
    match = pattern.match(text, start)
    return match.end() if match else start


def _word_before(text: str, end: int) -> str:
    start = end
    while start > 0 and end - start < LONGEST_NAME and text[start - 1] in IDENTIFIER:
        start -= 1
    return text[start:end]


def _is_other(text: str, name: str, match: re.Match[str], end: int) -> bool:
    """Returns whether this only looks like an assignment to a name.

    A colon may be one within an ARN, an image reference, a condition key or a scope such as token:read;
    "is" is a word unless Terraform tells with it what a reference is.
    """
    if match["quote"]:
        return False
    if match["sign"] == "is":
        return True
    if match["sign"] != ":" or match["gap"]:
        return False
    start = match.start() - len(name)
    before = text[start - 1 : start]
    return (
        "." in name
        or before in {"/", ":"}
        or not DIGIT.search(text, match.end(), min(end, match.end() + LONGEST_NAME))
    )
