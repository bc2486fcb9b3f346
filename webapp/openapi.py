"""Builds an OpenAPI 3.1 document from operations and their models.

Source: OpenAPI Specification 3.1.1, whose schemas are JSON Schema 2020-12, as pydantic generates them.
"""

from collections.abc import Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from webapp.operations import Answer, Argument, Operation, header_of
from webapp.responses import JSON

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
        answers.update(answer.model for answer in operation.answers.values() if answer.model)
    bodies = {body for operation in operations if (body := _body(operation)) is not None}
    wanted: list[tuple[type[BaseModel], JsonSchemaMode]] = []
    wanted.extend((model, "serialization") for model in answers)
    wanted.extend((model, "validation") for model in bodies)
    wanted.sort(key=lambda wanted: wanted[0].__name__)
    references, definitions = models_json_schema(wanted, ref_template=_REFERENCE)
    schemas: Schema = definitions["$defs"]
    return schemas, references


def _body(operation: Operation) -> type[BaseModel] | None:
    return next((argument.type for argument in operation.arguments if argument.name == "body"), None)


def _operation(operation: Operation, references: _References) -> Schema:
    described: Schema = {
        "operationId": operation.name,
        "summary": operation.summary,
        "tags": [operation.tag],
        "responses": {
            **{
                str(status.value): _answer(answer, references) for status, answer in operation.answers.items()
            },
            **{str(status.value): _problem(status, references) for status in sorted(operation.problems)},
        },
    }
    parameters = [parameter for argument in operation.arguments for parameter in _parameters(argument)]
    if parameters:
        described["parameters"] = parameters
    body = _body(operation)
    if body is not None:
        content = {JSON: {"schema": references[body, "validation"]}}
        described["requestBody"] = {"required": True, "content": content}
    if operation.authorize is not None:
        described["security"] = [{"token": []}]
    return described


def _answer(answer: Answer, references: _References) -> Schema:
    schema = references[answer.model, "serialization"] if answer.model is not None else dict(answer.schema)
    headers = {
        "X-Request-Id": "The request's id, by which the log tells more.",
        **answer.headers,
    }
    return {
        "description": answer.description,
        "headers": {
            name: {"description": text, "schema": {"type": "string"}} for name, text in headers.items()
        },
        "content": {answer.media_type: {"schema": schema}},
    }


def _problem(status: HTTPStatus, references: _References) -> Schema:
    return {
        "description": status.phrase,
        "content": {PROBLEM: {"schema": references[ProblemDetails, "serialization"]}},
    }


def _parameters(argument: Argument) -> list[Schema]:
    """Returns what an argument is read from; empty for the body."""
    header = header_of(argument.type)
    if header is not None:
        return [
            _parameter("header", header.name, header.description, header.schema, required=header.required)
        ]
    match argument.name:
        case "body":
            return []
        case "query":
            return _query(argument.type)
        case _:
            schema = TypeAdapter(argument.type).json_schema()
            description = schema.pop("description")
            return [_parameter("path", argument.name, description, schema, required=True)]


def _parameter(
    place: str, name: str, description: str, schema: Mapping[str, object], *, required: bool
) -> Schema:
    return {
        "name": name,
        "in": place,
        "description": description,
        "required": required,
        "schema": dict(schema),
    }


def _query(model: type[BaseModel]) -> list[Schema]:
    """Returns the fields of a model as parameters, with their definitions inlined."""
    schema = model.model_json_schema(mode="validation")
    definitions = schema.get("$defs", {})
    return [
        _parameter(
            "query",
            name,
            described.get("description", ""),
            _inlined(described, definitions),
            required=name in schema.get("required", ()),
        )
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
