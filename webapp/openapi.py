"""Builds an OpenAPI 3.1 document from operations and their models.

Source: OpenAPI Specification 3.1.1, whose schemas are JSON Schema 2020-12, as pydantic generates them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import JsonSchemaMode, models_json_schema

JSON: Final = "application/json"
PROBLEM: Final = "application/problem+json"
_REFERENCE: Final = "#/components/schemas/{model}"

Schema = dict[str, Any]


class ProblemError(BaseModel):
    """One thing that is wrong with a request: a member of the body by its pointer, or a parameter."""

    model_config = ConfigDict(frozen=True)

    detail: str = Field(description="What is wrong with it.")
    pointer: str | None = Field(default=None, description="JSON pointer into the body (RFC 6901).")
    parameter: str | None = Field(default=None, description="Name of the query parameter.")


class ProblemDetails(BaseModel):
    """Why a request was not answered as asked (RFC 9457)."""

    model_config = ConfigDict(frozen=True)

    type: str = Field(description="Always about:blank: the status says what kind of problem it is.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status code.")
    detail: str = Field(description="What is wrong, and what would be right.")
    request_id: str = Field(description="The request's id, by which the log tells more.")
    errors: tuple[ProblemError, ...] = Field(default=(), description="Each thing that is wrong.")


@dataclass(frozen=True)
class Parameter:
    """A header or path parameter."""

    name: str
    place: str
    description: str
    schema: Mapping[str, object]
    required: bool


@dataclass(frozen=True)
class Response:
    """A successful response: its model, or else its schema, and its headers."""

    description: str
    model: type[BaseModel] | None = None
    media_type: str = JSON
    schema: Mapping[str, object] = field(default_factory=lambda: {"type": "string"})
    headers: Mapping[str, str] = field(default_factory=dict)
    """Descriptions by name."""


@dataclass(frozen=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    name: str
    summary: str
    tag: str
    responses: Mapping[HTTPStatus, Response]
    problems: Sequence[HTTPStatus] = ()
    parameters: Sequence[Parameter] = ()
    query: type[BaseModel] | None = None
    body: type[BaseModel] | None = None
    authorized: bool = False


def document(title: str, version: str, description: str, operations: Iterable[Operation]) -> Schema:
    """Returns the OpenAPI document of these operations, ready to be encoded as JSON."""
    operations = tuple(operations)
    schemas, references = _schemas(operations)
    paths: dict[str, Schema] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, references)
    return {
        "openapi": "3.1.1",
        "info": {"title": title, "version": version, "description": description},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "The token that may write."}
            },
        },
    }


_References = Mapping[tuple[Any, JsonSchemaMode], Schema]
"""References to schemas, by model and mode."""


def _schemas(operations: Sequence[Operation]) -> tuple[Schema, _References]:
    answers: set[type[BaseModel]] = {ProblemDetails}
    for operation in operations:
        answers.update(response.model for response in operation.responses.values() if response.model)
    bodies = {operation.body for operation in operations if operation.body is not None}
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    wanted.extend((model, "serialization") for model in answers)
    wanted.extend((model, "validation") for model in bodies)
    wanted.sort(key=lambda wanted: wanted[0].__name__)
    references, definitions = models_json_schema(wanted, ref_template=_REFERENCE)
    schemas: Schema = definitions["$defs"]
    return schemas, references


def _operation(operation: Operation, references: _References) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            **{
                str(status.value): _response(response, references)
                for status, response in operation.responses.items()
            },
            **{str(status.value): _problem(status, references) for status in sorted(operation.problems)},
        },
    }
    parameters = [*map(_parameter, operation.parameters), *_query(operation.query)]
    if parameters:
        described["parameters"] = parameters
    if operation.body is not None:
        content = {JSON: {"schema": references[operation.body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.authorized:
        described["security"] = [{"token": []}]
    return described


def _response(response: Response, references: _References) -> Schema:
    schema = (
        references[response.model, "serialization"] if response.model is not None else dict(response.schema)
    )
    headers = {
        "X-Request-Id": "The request's id, by which the log tells more.",
        **response.headers,
    }
    return {
        "description": response.description,
        "headers": {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        },
        "content": {response.media_type: {"schema": schema}},
    }


def _problem(status: HTTPStatus, references: _References) -> Schema:
    return {
        "description": status.phrase,
        "content": {PROBLEM: {"schema": references[ProblemDetails, "serialization"]}},
    }


def _parameter(parameter: Parameter) -> Schema:
    return {
        "name": parameter.name,
        "in": parameter.place,
        "description": parameter.description,
        "required": parameter.required,
        "schema": dict(parameter.schema),
    }


def _query(model: type[BaseModel] | None) -> list[Schema]:
    """Returns the fields of a model as parameters, with their definitions inlined."""
    if model is None:
        return []
    schema = model.model_json_schema(mode="validation")
    definitions = schema.get("$defs", {})
    return [
        {
            "name": name,
            "in": "query",
            "description": described.get("description", ""),
            "required": name in schema.get("required", ()),
            "schema": _inlined(described, definitions),
        }
        for name, described in schema["properties"].items()
    ]


def _inlined(schema: object, definitions: Mapping[str, object]) -> Any:
    match schema:
        case {"$ref": str(reference), **rest}:
            return {**_inlined(definitions[reference.rpartition("/")[2]], definitions), **rest}
        case dict():
            return {
                key: _inlined(value, definitions)
                for key, value in schema.items()
                if key not in {"description", "title"}
            }
        case list():
            return [_inlined(item, definitions) for item in schema]
        case _:
            return schema
