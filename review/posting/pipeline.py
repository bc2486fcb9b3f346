"""Reads what GitHub Actions tells a job about itself, and checks what a person gives instead.

Source: GitHub's documentation, "Variables reference", section "Default environment variables", and
"Webhook events and payloads", event "pull_request".
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from review.marker import SAFE_KEY

ACTIONS_AUTHOR: Final = "github-actions[bot]"
"""The author of what a workflow's GITHUB_TOKEN writes."""

_URL_SAFE = "/:?#[]@!$&'*+,;=%~-._"
"""Characters of an address that need no escape; parentheses would end a link in Markdown."""


class InputError(Exception):
    """Bad input; the text says what is wrong, and what is allowed."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The commit, the run and the pull request; empty, 0 and None if unknown.

    For a pull request, `commit` is its head, not the merge commit that GitHub creates.
    """

    commit: str
    run: int
    run_url: str
    repository: str
    pull_request: int | None


def pipeline_of(environ: Mapping[str, str]) -> Pipeline:
    """Reads the environment variables of GitHub Actions."""
    event = _event(environ.get("GITHUB_EVENT_PATH", ""))
    pull_request = event.get("pull_request")
    head = pull_request.get("head") if isinstance(pull_request, dict) else None
    commit = head.get("sha") if isinstance(head, dict) else None
    run = environ.get("GITHUB_RUN_ID", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    server = environ.get("GITHUB_SERVER_URL", "")
    is_run = bool(re.fullmatch("[0-9]{1,20}", run))
    return Pipeline(
        commit=commit if isinstance(commit, str) and commit else environ.get("GITHUB_SHA", ""),
        run=int(run) if is_run else 0,
        run_url=f"{server}/{repository}/actions/runs/{run}" if server and repository and is_run else "",
        repository=repository,
        pull_request=_number(pull_request, environ.get("GITHUB_REF", "")),
    )


def checked_commit(commit: str) -> str:
    """Returns a commit that is safe in a comment's marker, or "". Raises InputError."""
    if commit and not SAFE_KEY.fullmatch(commit):
        raise InputError(f"--commit {commit!r}: a commit has letters, digits, '.', '_' and '-', 64 at most")
    return commit


def checked_url(url: str) -> str:
    """Returns an http or https address that is safe in a Markdown link, or "". Raises InputError."""
    if not url:
        return ""
    try:
        parts = urlsplit(url)
        is_web = parts.scheme in ("http", "https") and bool(parts.hostname)
    except ValueError:
        is_web = False
    if not is_web or re.search(r"\s", url) or not url.isprintable():
        raise InputError(f"--run-url {url!r}: give an address that starts with https:// or http://")
    return quote(url, safe=_URL_SAFE)


def _event(path: str) -> Mapping[str, Any]:
    """Reads the event that started the run; empty if it cannot be read."""
    try:
        content = json.loads(Path(path).read_bytes()) if path else {}
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(pull_request: object, ref: str) -> int | None:
    number = pull_request.get("number") if isinstance(pull_request, dict) else None
    if isinstance(number, int):
        return number
    found = re.fullmatch(r"refs/pull/([0-9]{1,18})/(?:merge|head)", ref)
    return int(found[1]) if found else None
