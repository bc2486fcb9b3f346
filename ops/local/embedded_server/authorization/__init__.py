"""Refuses what the policies of a role do not allow, as AWS does, and writes down who called what.

The keys of people, `AKIA<account id>`, are an administrator's: they may do everything. The keys of a
role may do what its policies, its boundary and the policies of resources allow; moto itself compares
resources with `*` only. Each call is a line of `calls.jsonl`; what reads, and what a role does, only once.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from ops.local.embedded_server.authorization.calls import Call, calls
from ops.local.embedded_server.authorization.inventory import MotoInventory
from ops.local.embedded_server.authorization.policies import Role, UnknownConditionError
from ops.local.embedded_server.authorization.requests import READING, Request, read_request

FILE: Final = "calls.jsonl"

_ACCOUNT_KEY: Final = re.compile(r"AKIA(\d{12})")

Answer = tuple[str, list[tuple[str, str]], bytes]


class Authorization:
    """What stands before moto; `refusal` is to be asked for each request before it is answered."""

    def __init__(self, directory: Path) -> None:
        """Continues the file of calls in a directory."""
        self._inventory = MotoInventory()
        self._file = (directory / FILE).open("a", encoding="utf-8")
        self._written: set[str] = set()

    def refusal(self, environ: Mapping[str, Any], body: bytes) -> Answer | None:
        """Returns the answer to a request that is not allowed, or None for one that is."""
        try:
            request = read_request(environ, body)
        except (ValueError, SyntaxError):
            return None  # no JSON or XML, which moto says
        if request is None:
            return None
        person = _ACCOUNT_KEY.fullmatch(request.key)
        role = None if person else self._inventory.role(request.key)
        account_id = person[1] if person else role.account_id if role else None
        if account_id is None:
            return None
        try:
            needed = list(calls(request, account_id, self._inventory))
        except (AttributeError, KeyError, TypeError, ValueError):
            if role is None:
                return None
            unclear = Call(f"{request.service}:{request.operation}")
            return _answer(environ, request, role, unclear, "because nobody can tell what it is about")
        denied: tuple[Call, str] | None = None
        for call in needed:
            reason = self._reason(role, call) if role else ""
            self._write(account_id, role, call, allowed=not reason)
            if reason and denied is None:
                denied = call, reason
        return _answer(environ, request, role, *denied) if denied and role else None

    def close(self) -> None:
        """Closes the file of calls."""
        self._file.close()

    def _reason(self, role: Role, call: Call) -> str:
        """Returns why a call is not allowed, or nothing."""
        policy: Sequence[Mapping[str, Any]] = ()
        if call.resources:
            policy = self._inventory.policy(call.resources[0])
        try:
            if role.allows(call, policy):
                return ""
        except UnknownConditionError as error:
            return f"because the embedded AWS does not evaluate this condition: {error}"
        return f"because no policy allows the {call.action} action, or one denies it"

    def _write(self, account_id: str, role: Role | None, call: Call, *, allowed: bool) -> None:
        who = {"account": account_id, "role": role.name if role else None, "allowed": allowed}
        line = json.dumps({**who, **asdict(call)})
        if role or READING.match(call.action.partition(":")[2]):
            if line in self._written:
                return
            self._written.add(line)
        self._file.write(f"{line}\n")
        self._file.flush()


def _answer(environ: Mapping[str, Any], request: Request, role: Role, call: Call, reason: str) -> Answer:
    """Returns a refusal in the protocol of the request.

    Source: the "Common Errors" page of each service's API reference; Amazon EC2 API Reference, "Error codes".
    """
    who = f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}"
    where = f" on resource: {call.resources[0]}" if call.resources else ""
    message = f"User: {who} is not authorized to perform: {call.action}{where} {reason}"
    status, kind = "403 Forbidden", "text/xml"
    in_json = request.protocol == "rest" and request.service not in ("s3", "route53")
    if in_json or request.protocol == "json":
        status, kind = "400 Bad Request", "application/x-amz-json-1.1"
        content = json.dumps({"__type": "AccessDeniedException", "message": message, "Message": message})
    elif request.service == "ec2":
        error = f"<Error><Code>UnauthorizedOperation</Code><Message>{message}</Message></Error>"
        content = f"<Response><Errors>{error}</Errors></Response>"
    elif request.service == "s3":
        content = f"<Error><Code>AccessDenied</Code><Message>{message}</Message></Error>"
    else:
        error = f"<Error><Type>Sender</Type><Code>AccessDenied</Code><Message>{message}</Message></Error>"
        content = f"<ErrorResponse>{error}</ErrorResponse>"
    sent = b"" if environ["REQUEST_METHOD"] == "HEAD" else content.encode()
    return status, [("Content-Type", kind), ("Content-Length", str(len(sent)))], sent
