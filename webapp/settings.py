"""The app's settings: the contract's variables and secrets, read and validated at boot."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_core import ErrorDetails

from webapp.contract import Configuration, Secrets
from webapp.services import Format

_LONGEST_VALUE: Final = 80
_ECR_IMAGE: Final = re.compile(
    r"(?P<account_id>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.amazonaws\.com/(?P<repository>[^@:]+)"
)


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
    if name in Secrets.model_fields:
        return "is wrong (its value is not shown)"
    value = str(problem["input"])
    if not value:
        return "is empty"
    return f"is {value[:_LONGEST_VALUE]!r}" + ("…" if len(value) > _LONGEST_VALUE else "")
