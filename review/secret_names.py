"""Names whose values are secrets: `DB_PASSWORD`, `apiKey`, `connection-string`.

A name that only speaks about a secret (`secret_arn`, `token_ttl`, `password_length`) is none.
"""

import re
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
"""Before `key`, these make a secret of it; `public_key`, `hash_key` and the `key` of a tag are none."""

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
"""Last words of names that speak about a secret; where the value shows one all the same, its shape tells."""

ABOUT_FIRST: Final = frozenset(
    {"enable", "disable", "manage", "max", "min", "maximum", "minimum", "num", "number"}
)
NOT_SECRET: Final = frozenset(
    {"http tokens", "creation token", "request token", "idempotency token", "lock token"}
)
"""The ends of AWS's names for settings and handles: http_tokens is required or optional."""


@lru_cache(maxsize=65_536)
def is_secret_name(name: str) -> bool:
    """Whether what stands under this name is a secret, going by the name alone.

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
        for before, word in zip(["", *words], words, strict=False)
    )


@lru_cache(maxsize=4_096)
def is_reference_name(name: str) -> bool:
    """Whether a name within an object with a secret name tells where or what it is, not what it says."""
    words = words_of(name)
    return bool(words) and ABOUT.fullmatch(words[-1]) is not None


def words_of(name: str) -> list[str]:
    """The words of a name in snake_case, camelCase, kebab-case or UPPER_CASE, in lower case."""
    return [word.lower() for word in WORD.findall(name)]
