"""Entity tags, and changes that are made only to what the client has seen: RFC 9110, section 13."""

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final

from starlette.requests import Request

from webapp.answers import Refusal
from webapp.resources import Resources

_TAG: Final = r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"'
_TAGS: Final = re.compile(rf"[ \t]*(?:{_TAG}[ \t]*)?(?:,[ \t]*(?:{_TAG}[ \t]*)?)*")
"""A list with whatever empty members a sender may leave in it: RFC 9110, section 5.6.1."""


@dataclass(frozen=True)
class IfMatch:
    """A condition on the version of what is to be changed; `tags` is None when any will do."""

    tags: frozenset[str] | None

    def holds(self, version: int) -> bool:
        """Whether this version will do. Weak tags never match: RFC 9110, section 13.1.1."""
        return self.tags is None or entity_tag(version) in self.tags


def entity_tag(version: int) -> str:
    """The strong entity tag of a version."""
    return f'"{version}"'


def require_if_match(request: Request[Resources]) -> IfMatch:
    """The condition that a change must come with.

    Raises `Refusal`: 428 (RFC 6585, section 3) when there is none, 400 when it cannot be read.
    """
    given = request.headers.getlist("If-Match")
    if not given:
        detail = "A change needs the header If-Match with the ETag of what is to be changed, or *."
        raise Refusal(HTTPStatus.PRECONDITION_REQUIRED, detail)
    return parse_if_match(", ".join(given))


def parse_if_match(value: str) -> IfMatch:
    """The condition in a header's value. Raises `Refusal`, 400, when there is none in it."""
    if value.strip(" \t") == "*":
        return IfMatch(None)
    tags = re.findall(_TAG, value) if _TAGS.fullmatch(value) else []
    if not tags:
        detail = 'If-Match must be * or entity tags such as "3", with their quotes.'
        raise Refusal(HTTPStatus.BAD_REQUEST, detail)
    return IfMatch(frozenset(tags))
