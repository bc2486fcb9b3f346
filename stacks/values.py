"""The forms of single values in `environments/*.toml`, each with the words for a person when it is wrong."""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import IPv4Network
from types import MappingProxyType
from typing import Annotated, Any, Final, Literal, Self, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

from stacks import privatelink, schedules
from stacks.problems import nearest
from stacks.regions import PROVIDER, REGIONS

T = TypeVar("T")

DEEPEST_PATH: Final = 4
"""Most parts of a path that the load balancer sends to a service."""

IN_URL: Final = r"(?:[\w.~!$&()*+,;=:@/?-]|%[0-9A-Fa-f]{2})"
"""A character of a path or query: those of RFC 3986 but for the quote, which the status app refuses."""

UseKind = Literal["services", "databases", "caches", "queues", "topics", "buckets", "tables", "volumes"]
"""The tables of the settings whose entries a service can use."""

READ_OR_WRITTEN: Final = ("queues", "buckets", "tables", "volumes")
"""Those of which a service may have the right to read or to write only."""

_USE: Final = rf"(({'|'.join(get_args(UseKind))})\.([a-z][a-z0-9]*(?:-[a-z0-9]+)*))(?::(read|write))?"


def text(pattern: str, allowed: str) -> AfterValidator:
    """A check of the whole of a text, with the words for a person when it fails."""
    compiled = re.compile(pattern, re.ASCII)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise ValueError(allowed)
        return value

    return AfterValidator(check)


def _cidr(value: object) -> object:
    if not isinstance(value, str):
        raise ValueError('an IPv4 CIDR in quotes, such as "10.0.0.0/16"')
    try:
        return IPv4Network(value)
    except ValueError:
        raise ValueError(f'an IPv4 CIDR such as "10.0.0.0/16"{_no_cidr(value)}') from None


def _no_cidr(value: str) -> str:
    """Says why a text is no IPv4 CIDR, where there is more to say."""
    if ":" in value:
        return "; IPv6 is not supported"
    try:
        return f'; the network of that address is "{IPv4Network(value, strict=False)}"'
    except ValueError:
        return ""


def _percentage(value: int) -> int:
    if value != 0 and not 10 <= value <= 90:
        raise ValueError("10 to 90 percent, or 0 to leave it out")
    return value


def _region(value: str) -> str:
    if value not in REGIONS:
        raise ValueError(
            f"a region of AWS's commercial partition that provider {PROVIDER} has; {nearest(value, REGIONS)}"
        )
    return value


def _endpoint(value: str) -> str:
    if value in privatelink.GATEWAYS:
        raise ValueError("leave it out: every VPC has its gateway endpoint, which is free of charge")
    if value not in privatelink.NAMES:
        close = ", ".join(get_close_matches(value, sorted(privatelink.NAMES), cutoff=0.4))
        raise ValueError(f"the name of an interface endpoint, such as {close or 'sqs'}")
    return value


def project_name(value: str) -> str:
    if value.startswith(("aws", "ssm")) or value in ("sg", "sthree", "internal"):
        raise ValueError(
            "another name: AWS reserves aws and ssm (parameters), sg (security groups), sthree (buckets) "
            "and internal (load balancers) as the beginning of a name"
        )
    return value


def _plain_path(value: str) -> str:
    if {".", ".."} & set(value.split("/")):
        raise ValueError("a path without . and ..")
    return value


def _inner_path(value: str) -> str:
    return value if value == "." else _plain_path(value)


def _request_path(value: str) -> str:
    path = _plain_path(value)
    if path != "/" and (path.endswith("/") or "//" in path):
        raise ValueError("a path without a slash at its end and without empty parts")
    if path.count("/") > DEEPEST_PATH:
        raise ValueError(f"a path of at most {DEEPEST_PATH} parts")
    return path


def _time_zone(value: str) -> str:
    return schedules.time_zone(value).key


def _schedule(value: str) -> str:
    schedules.parse(value)
    return value


def literal(value: str) -> str:
    """Returns a text so that Terraform takes no part of it for an expression.

    Source: Terraform's documentation, "Strings and Templates", escape sequences.
    """
    return value.replace("${", "$${").replace("%{", "%%{")


def frozen(value: Mapping[str, T]) -> Mapping[str, T]:
    return MappingProxyType(dict(value))


def nothing() -> Mapping[str, Any]:
    """Returns the default of a table without keys."""
    return MappingProxyType({})


def unique(value: tuple[T, ...]) -> tuple[T, ...]:
    if len(set(value)) != len(value):
        raise ValueError("each value once")
    return value


AccountId = Annotated[str, text(r"\d{12}", "an AWS account id: twelve digits, in quotes")]
Region = Annotated[str, AfterValidator(_region)]
Name = Annotated[
    str,
    text(
        r"[a-z][a-z0-9]*(-[a-z0-9]+)*",
        "lower-case letters, digits and single hyphens, beginning with a letter",
    ),
]
Cidr = Annotated[IPv4Network, BeforeValidator(_cidr)]
Zone = Annotated[str, text(r"[a-z]", 'a zone\'s letter, such as "a"')]
VpcId = Annotated[
    str, text(r"vpc-([0-9a-f]{8}|[0-9a-f]{17})", 'the id of a VPC, such as "vpc-0123456789abcdef0"')
]
SubnetId = Annotated[
    str, text(r"subnet-([0-9a-f]{8}|[0-9a-f]{17})", 'the id of a subnet, such as "subnet-0123456789abcdef0"')
]
DomainName = Annotated[
    str,
    text(
        r"(?=.{1,64}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}",
        'a domain such as "www.example.com"',
    ),
]
TagText = Annotated[
    str,
    text(
        r"[\w .:/=+\-@]{1,256}",
        "1 to 256 of the letters a to z and A to Z, digits, spaces and . : / = + - @ _ (it becomes a tag)",
    ),
]
ContainerPath = Annotated[
    str, text(r"(/[\w.-]+)+", "an absolute path within the container"), AfterValidator(_plain_path)
]
RepositoryPath = Annotated[
    str,
    text(r"[\w.-]+(/[\w.-]+)*", 'a path from the root of the repository, such as "shop/Dockerfile"'),
    AfterValidator(_inner_path),
]
RequestPath = Annotated[
    str, text(r"/[\w.~/-]*", 'the beginning of a path, such as "/api"'), AfterValidator(_request_path)
]
HealthPath = Annotated[
    str,
    text(
        rf"(?=.{{1,1024}}$)/{IN_URL}*",
        'a path of at most 1024 characters, such as "/health", with others than letters, digits and '
        "-._~!$&()*+,;=:@/? percent-encoded, such as %27",
    ),
]
HealthStatus = Annotated[
    str,
    text(
        r"[2-4]\d\d(-[2-4]\d\d)?(,[2-4]\d\d(-[2-4]\d\d)?)*",
        'HTTP status codes from 200 to 499, such as "200", "200,301" or "200-399"',
    ),
]
PinnedImage = Annotated[
    str,
    text(
        r"[a-z0-9][\w.-]*(:\d+)?(/[a-z0-9][\w.-]*)*(:[\w.-]+)?@sha256:[0-9a-f]{64}",
        'an image by digest, "repository@sha256:" with 64 hexadecimal digits: a tag may change any day',
    ),
]
VariableName = Annotated[
    str, text(r"[A-Za-z_]\w*", "a variable's name: letters, digits and _, beginning with a letter or _")
]
User = Annotated[
    str,
    text(
        r"([a-z_][\w.-]*|\d+)(:([a-z_][\w.-]*|\d+))?",
        'a user, or user and group, by name or number, such as "10001:10001"',
    ),
]
Action = Annotated[str, text(r"[a-z0-9-]+:[A-Za-z0-9*?]+", 'an action of IAM, such as "s3:GetObject"')]
ResourceArn = Annotated[
    str, text(r"\*|arn:aws:[^\s:]*:[^\s:]*:[^\s:]*:[^\s]+", 'an ARN, such as "arn:aws:s3:::bucket/*", or "*"')
]
TimeZone = Annotated[str, AfterValidator(_time_zone)]
Schedule = Annotated[str, AfterValidator(_schedule)]
Cidrs = Annotated[tuple[Cidr, ...], Field(strict=False, min_length=1), AfterValidator(unique)]
Percentage = Annotated[int, AfterValidator(_percentage)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]


class Table(BaseModel):
    """A table of a settings file: frozen, and every unknown key is an error."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        arbitrary_types_allowed=True,
        use_attribute_docstrings=True,
    )


class SecretReference(BaseModel):
    """Where a secret is kept; its value is never read here."""

    model_config = ConfigDict(frozen=True)

    store: Literal["ssm", "secretsmanager"]
    """AWS Systems Manager Parameter Store or AWS Secrets Manager."""

    name: str
    """The parameter's path, or the secret's name."""

    json_key: str | None = None
    """The key of a secret that is a JSON object."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read a reference as a settings file says it; ValueError says what is allowed."""
        if isinstance(value, str):
            if match := re.fullmatch(r"ssm:((?!/aws|/ssm)(?:/[\w.-]+)+)", value):
                return cls(store="ssm", name=match[1])
            if match := re.fullmatch(r"secretsmanager:([\w/+=.@-]{1,512})(?:#([\w.-]+))?", value):
                return cls(store="secretsmanager", name=match[1], json_key=match[2])
        raise ValueError(
            'a reference, never the secret itself: "ssm:/path/of/parameter", "secretsmanager:name" or, '
            'for a key of a secret that is JSON, "secretsmanager:name#key"'
        )


class Use(BaseModel):
    """One entry of `uses`: what a service connects to, and whether it may read, write or both."""

    model_config = ConfigDict(frozen=True)

    kind: UseKind
    """The table of the settings that it stands in."""

    name: str

    access: Literal["read", "write"] | None = None
    """None for both, and where there is no difference."""

    @classmethod
    def parse(cls, value: object) -> Self:
        """Read an entry as a settings file says it; ValueError says what is allowed."""
        match = re.fullmatch(_USE, value) if isinstance(value, str) else None
        if match is None:
            kinds = ", ".join(get_args(UseKind))
            raise ValueError(
                f'what it uses, a table and a name, such as "queues.orders"; the tables are {kinds}'
            )
        if match[4] and match[2] not in READ_OR_WRITTEN:
            raise ValueError(f'"{match[1]}": only {", ".join(READ_OR_WRITTEN)} know :read and :write')
        return cls.model_validate({"kind": match[2], "name": match[3], "access": match[4]})

    @property
    def reads(self) -> bool:
        """Returns whether it may read."""
        return self.access != "write"

    @property
    def writes(self) -> bool:
        """Returns whether it may write."""
        return self.access != "read"

    def __str__(self) -> str:
        """Returns it as the settings say it."""
        return f"{self.kind}.{self.name}{f':{self.access}' if self.access else ''}"
