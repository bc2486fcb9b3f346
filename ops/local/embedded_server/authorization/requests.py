"""Which operation of which AWS API a request asks for, and with which arguments.

Source: Smithy, "AWS protocols"; the models of the operations are botocore's.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final
from urllib.parse import parse_qsl, unquote
from xml.etree import ElementTree

from botocore.session import Session

CREDENTIAL: Final = re.compile(r"Credential=([^/,]+)/\d+/([^/,]+)/([^/,]+)/aws4_request")
"""Key, region and service of a request that is signed."""

READING: Final = re.compile(r"BatchGet|Describe|Filter|Get|Head|List|Lookup|Query|Scan")
"""How the names of operations begin that read."""

_NAMES: Final = {"elasticfilesystem": "efs"}
"""Services that botocore names differently from the name that requests are signed for."""


@dataclass(frozen=True)
class Request:
    """A signed request. `service` is what it is signed for, `arguments` those of the operation."""

    key: str
    region: str
    service: str
    operation: str
    arguments: Mapping[str, Any]
    protocol: str
    """`json`, `query` or `rest`, which is how errors are answered."""


def read_request(environ: Mapping[str, Any], body: bytes) -> Request | None:
    """Returns what a request asks for, or None for one that is not signed or asks for nothing known."""
    signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if not signed:
        return None
    key, region, service = signed.groups()
    if target := environ.get("HTTP_X_AMZ_TARGET"):
        operation = str(target).rpartition(".")[2]
        return Request(key, region, service, operation, json.loads(body or b"{}"), "json")
    if "urlencoded" in environ.get("CONTENT_TYPE", ""):
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        return Request(key, region, service, form.pop("Action", ""), form, "query")
    found = _by_path(service, environ)
    if found is None:
        return None
    operation, arguments = found
    if service == "route53" and body:
        arguments["Changes"] = _changes(body)
    if service in ("chatbot", "elasticfilesystem", "scheduler") and body:
        arguments |= json.loads(body)
    for header in ("Copy-Source", "Tagging") if service == "s3" else ():
        if value := environ.get(f"HTTP_X_AMZ_{header.upper().replace('-', '_')}"):
            arguments[header.replace("-", "")] = unquote(str(value))
    if operation == "DeleteObjects":
        arguments["Objects"] = _children(body, "Object", ("Key", "VersionId"))
    return Request(key, region, service, operation, arguments, "rest")


def _by_path(service: str, environ: Mapping[str, Any]) -> tuple[str, dict[str, Any]] | None:
    path, query = environ["PATH_INFO"], dict(parse_qsl(environ.get("QUERY_STRING", ""), True))
    headers = {name.removeprefix("HTTP_").replace("_", "-").lower() for name in environ}
    best: tuple[int, str, dict[str, Any]] | None = None
    for name, method, pattern, wanted, needed in _operations(service):
        match = pattern.fullmatch(path)
        fits = method == environ["REQUEST_METHOD"] and wanted <= query.keys() and needed <= headers
        if match and fits and (best is None or len(wanted) > best[0]):
            found = query | {label: unquote(value) for label, value in match.groupdict().items()}
            best = len(wanted), name, found
    return best[1:] if best else None


@cache
def _operations(
    service: str,
) -> tuple[tuple[str, str, re.Pattern[str], frozenset[str], frozenset[str]], ...]:
    """Returns the operations of a REST API: name, method, path, and the query keys and headers they need."""
    session = Session()
    service = _NAMES.get(service, service)
    if service not in session.get_available_services():
        return ()
    model = session.get_service_model(service)
    found = []
    for name in model.operation_names:
        operation = model.operation_model(name)
        http = operation.http
        path, _, query = http.get("requestUri", "/").partition("?")
        wanted = {part.split("=")[0] for part in query.split("&") if part} - {"x-id"}
        shape = operation.input_shape
        required = [shape.members[each] for each in shape.required_members] if shape else []
        located = [(each.serialization.get("location"), each.serialization.get("name")) for each in required]
        wanted |= {str(name) for place, name in located if place == "querystring"}
        needed = {str(name).lower() for place, name in located if place == "header"}
        if service == "s3" and not path.startswith("/{Bucket}"):
            path = "/{Bucket}" + path if name != "ListBuckets" else path
        path = path.rstrip("/") or "/"
        pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", _label, re.escape(path))
        method = http.get("method", "POST")
        found.append((name, method, re.compile(pattern + "/?"), frozenset(wanted), frozenset(needed)))
    return tuple(found)


def _label(match: re.Match[str]) -> str:
    return f"(?P<{match[1]}>{'.+' if match[2] else '[^/]+'})"


def _changes(body: bytes) -> list[dict[str, str]]:
    """Returns action, name and type of each change of a ChangeResourceRecordSets."""
    return _children(body, "Change", ("Action", "Name", "Type"))


def _children(body: bytes, tag: str, names: Sequence[str]) -> list[dict[str, str]]:
    """Returns some texts of each element of a kind in an XML document."""
    elements = ElementTree.fromstring(body).findall(f".//{{*}}{tag}")  # noqa: S314  # from this machine
    return [{name: each.findtext(f".//{{*}}{name}", "") for name in names} for each in elements]
