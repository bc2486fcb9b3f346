"""Operations of the API, each declared once beside its handler.

Its routing, the reading of its arguments, the problems they cause and its part of the OpenAPI document follow
from the declaration.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from http import HTTPMethod, HTTPStatus
from inspect import signature
from typing import Annotated, Any, Final, get_args, get_origin, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp

from webapp.prepared import Prepared
from webapp.requests import read_body, read_query
from webapp.resources import Resources
from webapp.responses import JSON

GET, POST, PATCH = HTTPMethod.GET, HTTPMethod.POST, HTTPMethod.PATCH

Handler = Callable[..., Awaitable[ASGIApp]]
"""Answers a request with its arguments.

An argument that the path names is its part; `query` and `body` are models; others are a `Header` each.
"""

Read = Callable[[Request[Resources]], Awaitable[object]]

TABLE_PROBLEMS: Final = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)
"""Of an operation that uses the app's table."""

_ALWAYS: Final = (
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    HTTPStatus.REQUEST_URI_TOO_LONG,
    HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
    HTTPStatus.INTERNAL_SERVER_ERROR,
)
"""Of every operation: `webapp.protocol` refuses requests, and the app may fail."""


@dataclass(frozen=True)
class Answer:
    """A successful response: its model, or else its schema, and its headers."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    headers: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by name."""


@dataclass(frozen=True)
class Header:
    """A request header that a handler takes as an argument: `Annotated[IfMatch, Header(...)]`."""

    name: str
    description: str
    schema: Mapping[str, object]
    read: Callable[[Request[Resources]], object]
    problems: tuple[HTTPStatus, ...]
    required: bool = False


@dataclass(frozen=True)
class Hot:
    """A handler whose answer is prepared; it has no arguments."""

    prepare: Callable[[Resources], Prepared]

    @property
    def __name__(self) -> str:
        """Returns the function's name."""
        return self.prepare.__name__


@dataclass(frozen=True)
class Argument:
    """An argument of a handler: how it is read, and the problems with which reading it may end."""

    name: str
    type: Any
    read: Read
    problems: tuple[HTTPStatus, ...]


@dataclass(frozen=True)
class Operation:
    """One method of one path.

    `authorize` raises `HTTPProblem` unless the client may do this. Scripts of any origin may read what is
    `public`.
    """

    method: HTTPMethod
    path: str
    handler: Handler | Hot
    tag: str
    summary: str
    answers: Mapping[HTTPStatus, Answer]
    own_problems: tuple[HTTPStatus, ...] = ()
    authorize: Callable[[Request[Resources]], None] | None = None
    public: bool = False

    @property
    def name(self) -> str:
        """Returns the handler's name in camel case, which is the operation's id."""
        first, *others = self.handler.__name__.split("_")
        return first + "".join(map(str.capitalize, others))

    @cached_property
    def arguments(self) -> tuple[Argument, ...]:
        """Returns the handler's arguments, in the order in which they are read."""
        if isinstance(self.handler, Hot):
            return ()
        hints = get_type_hints(self.handler, include_extras=True)
        _request, *names = signature(self.handler).parameters
        return tuple(_argument(name, hints[name], self.path) for name in names)

    @property
    def problems(self) -> frozenset[HTTPStatus]:
        """Returns all statuses of problem details that may be answered, but for 405."""
        of_arguments = {status for argument in self.arguments for status in argument.problems}
        of_access = {HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN} if self.authorize else set()
        return frozenset({*_ALWAYS, *self.own_problems, *of_arguments, *of_access} - self.answers.keys())

    async def answer(self, request: Request[Resources]) -> ASGIApp:
        """Answers a request. Raises `HTTPProblem` if its arguments are wrong."""
        if isinstance(self.handler, Hot):
            return self.handler.prepare(request.state)
        if self.authorize is not None:
            self.authorize(request)
        arguments = {argument.name: await argument.read(request) for argument in self.arguments}
        return await self.handler(request, **arguments)


def header_of(annotation: Any) -> Header | None:
    """Returns the header that an annotation names; None if it names none."""
    metadata = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return next((mark for mark in metadata if isinstance(mark, Header)), None)


def _argument(name: str, annotation: Any, path: str) -> Argument:
    if (header := header_of(annotation)) is not None:
        return Argument(name, annotation, _from_header(header), header.problems)
    if f"{{{name}}}" in path:
        return Argument(name, annotation, _from_path(name, TypeAdapter(annotation)), (HTTPStatus.NOT_FOUND,))
    if name == "query":
        return Argument(name, annotation, _from_query(annotation), ())
    unreadable = (HTTPStatus.UNSUPPORTED_MEDIA_TYPE, HTTPStatus.UNPROCESSABLE_ENTITY)
    return Argument(name, annotation, _from_body(annotation), unreadable)


def _from_header(header: Header) -> Read:
    async def read(request: Request[Resources]) -> object:
        return header.read(request)

    return read


def _from_path(name: str, adapter: TypeAdapter[object]) -> Read:
    async def read(request: Request[Resources]) -> object:
        try:
            return adapter.validator.validate_python(request.path_params[name])
        except ValidationError:
            raise HTTPException(HTTPStatus.NOT_FOUND) from None

    return read


def _from_query(model: type[BaseModel]) -> Read:
    async def read(request: Request[Resources]) -> object:
        return read_query(request, model)

    return read


def _from_body(model: type[BaseModel]) -> Read:
    async def read(request: Request[Resources]) -> object:
        return await read_body(request, model)

    return read
