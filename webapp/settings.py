"""The app's settings: the contract's variables and secrets, read and validated at boot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails, PydanticCustomError

from webapp.check import Format
from webapp.checks import CHECKS
from webapp.components import COMPONENTS, Component, Kind
from webapp.contract import Configuration, Secrets

_LONGEST_VALUE: Final = 80
_ECR_IMAGE: Final = re.compile(
    r"(?P<account_id>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^@:]+)"
)


_HTTP_URL: Final = r"^https?://[^\s\"'<>/@]+(/[^\s\"'<>]*)?$"

_WRONG: Final = "wrong"
"""The type of errors whose message says what is wrong."""


class Link(BaseModel):
    """A link at the foot of the page."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1, max_length=80)]
    url: Annotated[str, Field(pattern=_HTTP_URL, max_length=2048)]


_PROBES: Final = TypeAdapter(dict[str, Annotated[str, Field(pattern=_HTTP_URL, max_length=2048)]])
_LINKS: Final = TypeAdapter(tuple[Link, ...])


@dataclass(frozen=True)
class Registry:
    """An ECR repository: the account and region of its registry, and its name."""

    account_id: str
    region: str
    repository: str


class SettingsError(Exception):
    """The app cannot boot with these variables. `str()` of it is the message for the operator."""


class Settings(Secrets, Configuration):
    """The contract's variables and secrets, with the `Format` of each applied."""

    aws_endpoint_url: Annotated[str | None, Format(r"https?://[^/\s]+/?")] = Field(
        default=None, description="a stand-in for AWS, such as http://127.0.0.1:5000"
    )
    """Read by botocore, and not part of the contract. It is here to be validated with the rest."""

    @field_validator("*")
    @classmethod
    def _has_its_format(cls, value: Any, info: ValidationInfo) -> Any:
        field = cls.model_fields[str(info.field_name)]
        for mark in field.metadata:
            if isinstance(mark, Format) and isinstance(value, str) and not re.fullmatch(mark.pattern, value):
                raise ValueError("wrong format")
        return value

    @field_validator("write_token_sha256")
    @classmethod
    def _is_sha256(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", value.get_secret_value()):
            raise ValueError("no SHA-256 in hexadecimal digits")
        return value

    @field_validator("components")
    @classmethod
    def _are_components(cls, text: str) -> str:
        components = _read(COMPONENTS, text)
        ids = [component.id for component in components]
        for component in components:
            if ids.count(component.id) > 1:
                raise _wrong(f"has {component.id} twice")
            if component.kind not in CHECKS:
                raise _wrong(f"has {component.id} of the kind {component.kind}, for which there is no check")
        if [component.kind for component in components].count(Kind.STORAGE) != 1:
            raise _wrong(f"needs one component of the kind {Kind.STORAGE}: the app's own table")
        return text

    @field_validator("probes")
    @classmethod
    def _are_probes(cls, text: str) -> str:
        _read(_PROBES, text)
        return text

    @field_validator("links")
    @classmethod
    def _are_links(cls, text: str) -> str:
        _read(_LINKS, text)
        return text

    @cached_property
    def watched(self) -> Mapping[str, Component]:
        """Returns the components to watch by their ids, in the order of the page."""
        return {component.id: component for component in COMPONENTS.validate_json(self.components)}

    @cached_property
    def public(self) -> Mapping[str, Component]:
        """Returns the components that everybody sees."""
        return {each.id: each for each in self.watched.values() if each.public}

    @cached_property
    def storage(self) -> Component:
        """Returns the app's own table."""
        return next(component for component in self.watched.values() if component.kind is Kind.STORAGE)

    @cached_property
    def probe_urls(self) -> Mapping[str, str]:
        """Returns the URLs to probe, by the id of their component."""
        return _PROBES.validate_json(self.probes)

    @cached_property
    def page_links(self) -> tuple[Link, ...]:
        """Returns the links at the foot of the page."""
        return _LINKS.validate_json(self.links)

    def interval_of(self, component: Component) -> int:
        """Returns the seconds between two checks of a component."""
        return max(self.check_interval, CHECKS[component.kind].interval)

    @property
    def own_id(self) -> str:
        """Returns the id of the component that is the app itself."""
        return f"services.{self.service}"

    @property
    def digest(self) -> str:
        """Returns the digest of the released image: `sha256:<64 hexadecimal digits>`."""
        return self.image.partition("@")[2]

    @property
    def registry(self) -> Registry | None:
        """Returns the image's ECR repository; None if it is in another registry.

        Source of the format: Amazon ECR User Guide, "Private registry".
        """
        match = _ECR_IMAGE.match(self.image)
        return Registry(**match.groupdict()) if match else None

    @property
    def writing(self) -> bool:
        """Returns whether writing is on."""
        return self.write_token_sha256 is not None


def _read(adapter: TypeAdapter[Any], text: str) -> Any:
    """Parses JSON. Raises the first thing that is wrong with it, and where."""
    try:
        return adapter.validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise _wrong(
            f"is wrong at {where}: {first['msg']}" if where else f"is wrong: {first['msg']}"
        ) from None


def _wrong(what: str) -> PydanticCustomError:
    # Braces would be taken for places to fill in.
    return PydanticCustomError(_WRONG, "{what}", {"what": what})


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Reads the settings from environment variables; ignores others.

    Raises `SettingsError`, which names every missing or invalid variable, its value (unless it is a secret)
    and what is expected.
    """
    found = {name: environ[name.upper()] for name in Settings.model_fields if name.upper() in environ}
    try:
        return Settings.model_validate(found)
    except ValidationError as error:
        lines = [_line(problem) for problem in error.errors(include_url=False, include_context=False)]
        raise SettingsError("\n".join(["The app cannot start. Environment variables:", *lines])) from None


def _line(problem: ErrorDetails) -> str:
    name = str(problem["loc"][0])
    return f"  {name.upper()} {_found(name, problem)}: expected {Settings.model_fields[name].description}"


def _found(name: str, problem: ErrorDetails) -> str:
    if problem["type"] == "missing":
        return "is missing"
    if problem["type"] == _WRONG:
        return problem["msg"]
    if name in Secrets.model_fields:
        return "is wrong (its value is not shown)"
    value = str(problem["input"])
    if not value:
        return "is empty"
    return f"is {value[:_LONGEST_VALUE]!r}" + ("…" if len(value) > _LONGEST_VALUE else "")
