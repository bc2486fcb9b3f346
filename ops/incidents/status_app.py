"""Incidents and maintenances by the API of an environment's status app."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Annotated, Final, TypeVar
from urllib.parse import urlencode

from pydantic import AwareDatetime, BaseModel, Field, ValidationError

from ops.core.console import printable
from ops.core.errors import OpsError, UsageError
from ops.rollout.smoke import is_here
from stacks.settings import Environment

if TYPE_CHECKING:
    import httpx

TOKEN_VARIABLE: Final = "STATUS_TOKEN"  # noqa: S105 - the variable's name

_INCIDENTS: Final = "/api/incidents"
_TOKEN: Final = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""Format of a bearer token: RFC 6750, section 2.1."""

_SECONDS: Final = 20.0
_OPTIONS: Final[Mapping[str, str]] = {"starts_at": "STARTS", "ends_at": "ENDS"}
"""Options whose name is not that of the member of the body."""

_OVER: Final = frozenset({"resolved", "cancelled", "completed"})
"""States in which an incident or a maintenance is not open any more."""


_MOST_A_DAY: Final = 100
"""How many times a day the same words open an incident."""


class Update(BaseModel):
    """An entry of an incident, as far as the commands need it."""

    message: str


class Incident(BaseModel):
    """An incident or a maintenance as the API shows it, as far as the commands need it."""

    id: str
    kind: str
    title: str
    state: str
    severity: str | None
    components: tuple[str, ...]
    opened_at: AwareDatetime
    starts_at: AwareDatetime | None
    ends_at: AwareDatetime | None
    updates: Annotated[tuple[Update, ...], Field(min_length=1)]


class _Page(BaseModel):
    """A page of a list, and the cursor of the next one."""

    incidents: tuple[Incident, ...]
    next: str | None


_Content = TypeVar("_Content", Incident, _Page)


@dataclass(frozen=True, slots=True)
class Opened:
    """An incident, and whether the same command had opened it before."""

    incident: Incident
    before: bool


def status_service(environment: Environment) -> str:
    """Returns the service of an environment that is the status app. Raises UsageError if it has none."""
    for key, service in environment.services.items():
        if service.kind == "status":
            return key
    raise UsageError(
        f'{environment.name} has no status app: no service of the kind "status" in its settings, as '
        "docs/settings.md describes."
    )


def checked_token(token: str) -> str:
    """Returns a token without blanks around it. Raises UsageError, which does not show it, if it is none."""
    token = token.strip()
    if not _TOKEN.fullmatch(token):
        raise UsageError(
            f"{TOKEN_VARIABLE} is not a token: letters, digits and -._~+/ are allowed, with = at its end."
        )
    return token


@dataclass(frozen=True, slots=True)
class StatusApp:
    """The status app of an environment at its address; writing needs the token."""

    environment: str
    address: str
    token: str = field(default="", repr=False)
    plain_http: bool = False
    """Whether the token may go over plain HTTP to another machine."""

    def open(self, new: Mapping[str, object]) -> Opened:
        """Opens an incident or announces a maintenance.

        The idempotency key follows from its content: a command that is repeated within a day opens it once.
        If that one is over, the problem is back: a counter in the key makes it another one.
        """
        text = json.dumps(new, sort_keys=True)
        for number in range(_MOST_A_DAY):
            key = hashlib.sha256(f"{text}{number or ''}".encode()).hexdigest()
            answer = self._write("POST", _INCIDENTS, new, {"Idempotency-Key": key})
            opened = Opened(self._content(answer, Incident), "Idempotency-Replayed" in answer.headers)
            if not opened.before or opened.incident.state not in _OVER:
                return opened
        raise OpsError(
            f"This was opened {_MOST_A_DAY} times within a day, and is over each time. Use other words."
        )

    def change(self, identifier: str, change: Mapping[str, object]) -> Incident | None:
        """Changes an incident or a maintenance; None if its last update says all of this already."""
        path, before, answer = self._read(identifier)
        said = {**answer.json(), "message": before.updates[0].message}
        if change.items() <= said.items() and "message" in change:
            return None
        return self._patch(path, change, answer)

    def correct(self, identifier: str, number: int, message: str) -> Incident:
        """Replaces the text of an update; its previous text stays visible."""
        path, _, answer = self._read(identifier)
        return self._patch(f"{path}/updates/{number}", {"message": message}, answer)

    def list_open(self) -> Iterator[Incident]:
        """Yields open incidents and coming or running maintenances, the newest first."""
        query = {"state": "open", "limit": "100"}
        while True:
            page = self._content(self._ask("GET", f"{_INCIDENTS}?{urlencode(query)}"), _Page)
            yield from page.incidents
            if not page.next:
                return
            query["cursor"] = page.next

    def permalink(self, incident: Incident) -> str:
        """Returns the address of its page."""
        return f"{self.address}/incidents/{printable(incident.id)}"

    def _read(self, identifier: str) -> tuple[str, Incident, "httpx.Response"]:
        if not re.fullmatch(r"[0-9A-Fa-f-]{36}", identifier):
            raise UsageError(f"ID={identifier} is not the id of an incident. {self._how_to_list()}")
        path = f"{_INCIDENTS}/{identifier.lower()}"
        # With the token, as only operators see what is about components that are not public.
        answer = self._write("GET", path, None, {})
        return path, self._content(answer, Incident), answer

    def _patch(self, path: str, body: Mapping[str, object], read: "httpx.Response") -> Incident:
        """Changes what was read before, if nobody else has changed it since."""
        tag = read.headers.get("ETag", "")
        return self._content(self._write("PATCH", path, body, {"If-Match": tag}), Incident)

    def _write(
        self, method: str, path: str, body: Mapping[str, object] | None, headers: Mapping[str, str]
    ) -> "httpx.Response":
        encrypted = self.address.startswith("https:")
        if not encrypted and not is_here(self.address) and not self.plain_http:
            raise UsageError(
                f"{self.address} is plain HTTP: others could read the token. Give the status app a domain, "
                "or accept that with token_over_http = true in its settings."
            )
        return self._ask(method, path, body, {**headers, "Authorization": f"Bearer {self.token}"})

    def _ask(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> "httpx.Response":
        # Imported here because it takes long to load, and most commands send no requests.
        import httpx

        url = self.address + path
        try:
            # Proxies of the environment are for other hosts, not for the loopback.
            with httpx.Client(timeout=_SECONDS, trust_env=not is_here(self.address)) as client:
                answer = client.request(method, url, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError) as error:
            raise OpsError(
                f"{self.address} does not answer ({printable(str(error)) or type(error).__name__}). "
                f"`make status ENV={self.environment}` shows whether it runs."
            ) from None
        if not answer.is_success:
            raise self._problem(answer)
        return answer

    def _content(self, answer: "httpx.Response", model: type[_Content]) -> _Content:
        try:
            return model.model_validate_json(answer.content)
        except ValidationError:
            raise OpsError(f"{self.address} does not answer as a status app does.") from None

    def _problem(self, answer: "httpx.Response") -> OpsError:
        try:
            problem = answer.json()
            detail = printable(str(problem["detail"]))
            errors = [
                f"{_option(printable(error.get('pointer', '')))}{printable(str(error['detail']))}"
                for error in problem.get("errors", ())
            ]
        except (ValueError, KeyError, TypeError, AttributeError):
            return OpsError(f"{self.address} answers {answer.status_code}, and not as a status app does.")
        match answer.status_code:
            case HTTPStatus.UNAUTHORIZED:
                return OpsError(
                    f"{self.address} refuses the token: {TOKEN_VARIABLE} has to be the one whose SHA-256 the "
                    "app has as WRITE_TOKEN_SHA256."
                )
            case HTTPStatus.FORBIDDEN:
                return OpsError(f'{detail} docs/app.md, "Incidents", says how to set one.')
            case HTTPStatus.NOT_FOUND:
                return UsageError(f"{detail} {self._how_to_list()}")
            case HTTPStatus.UNPROCESSABLE_ENTITY:
                return UsageError("\n".join(errors) or detail)
            case HTTPStatus.PRECONDITION_FAILED:
                return OpsError("Somebody else changed it at the same time. Run the command again.")
        return OpsError(detail)

    def _how_to_list(self) -> str:
        return f"`make incidents ENV={self.environment}` lists the open ones."


def _option(pointer: str) -> str:
    """Returns the option of the commands for a member of a body, to begin a line with."""
    member = pointer.removeprefix("/").partition("/")[0]
    return f"{_OPTIONS.get(member, member.upper())}=: " if member else ""
