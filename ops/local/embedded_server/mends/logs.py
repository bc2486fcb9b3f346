"""Saved queries of CloudWatch Logs Insights, which moto's CloudWatch Logs lacks.

Source: Amazon CloudWatch Logs API Reference, "PutQueryDefinition", "DescribeQueryDefinitions" and
"DeleteQueryDefinition".
"""

import json
from typing import Any

from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogsBackend
from moto.logs.responses import LogsResponse
from moto.moto_api._internal import mock_random

from ops.local.embedded_server.patching import kept, patch


def mend() -> None:
    """Adds the missing actions."""
    patch(LogsResponse, put_query_definition, describe_query_definitions, delete_query_definition)


def put_query_definition(response: LogsResponse) -> str:
    """CloudWatch Logs' PutQueryDefinition."""
    found = _definitions(response.logs_backend)
    identifier = response._get_param("queryDefinitionId")
    if identifier and identifier not in found:
        raise ResourceNotFoundException("The specified query definition does not exist.")
    identifier = identifier or str(mock_random.uuid4())
    found[identifier] = {
        "queryLanguage": response._get_param("queryLanguage") or "CWLI",
        "queryDefinitionId": identifier,
        "name": response._get_param("name"),
        "queryString": response._get_param("queryString"),
        "logGroupNames": response._get_param("logGroupNames") or [],
    }
    return json.dumps({"queryDefinitionId": identifier})


def describe_query_definitions(response: LogsResponse) -> str:
    """CloudWatch Logs' DescribeQueryDefinitions, in one page."""
    prefix = response._get_param("queryDefinitionNamePrefix") or ""
    found = _definitions(response.logs_backend).values()
    return json.dumps({"queryDefinitions": [each for each in found if each["name"].startswith(prefix)]})


def delete_query_definition(response: LogsResponse) -> str:
    """CloudWatch Logs' DeleteQueryDefinition."""
    found = _definitions(response.logs_backend).pop(response._get_param("queryDefinitionId"), None)
    if not found:
        raise ResourceNotFoundException("The specified query definition does not exist.")
    return json.dumps({"success": True})


def _definitions(backend: LogsBackend) -> dict[str, dict[str, Any]]:
    return kept(backend, "query_definitions", {})
