"""Who called which action of AWS on what, as an embedded AWS wrote it down."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from urllib.parse import parse_qsl

from ops.local.embedded_server.authorization import FILE
from ops.local.embedded_server.authorization.calls import Call


@dataclass(frozen=True)
class Recorded:
    """A call, by whom: `role` is None for a person, who may do everything."""

    account: str
    role: str | None
    allowed: bool
    call: Call


def recorded(directory: Path, first: int = 0, last: int | None = None) -> Iterator[Recorded]:
    """The calls that an embedded AWS with its memory in `directory` wrote down, between two counts."""
    with (directory / FILE).open() as file:
        for line in islice(file, first, last):
            entry = json.loads(line)
            context = {key: tuple(values) for key, values in entry["context"].items()}
            call = Call(entry["action"], tuple(entry["resources"]), context, entry["owner"])
            yield Recorded(entry["account"], entry["role"], entry["allowed"], call)


def count(directory: Path) -> int:
    """How many calls were written down."""
    return len((directory / FILE).read_bytes().splitlines())


def assumed_by_token(directory: Path) -> Iterator[tuple[str, str]]:
    """Each role that was assumed with a token: its account and name."""
    with (directory / "journal.jsonl").open("rb") as file:
        next(file)
        for line in file:
            body = base64.b64decode(json.loads(line)["body"]) if line.endswith(b"\n") else b""
            if b"Action=AssumeRoleWithWebIdentity" in body:
                arn = dict(parse_qsl(body.decode()))["RoleArn"]
                yield arn.split(":")[4], arn.rpartition("/")[2]
