"""Plans built by hand, and Markdown taken apart as GitHub would: for the tests of the comment."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from review.marker import Marker
from review.model import ABSENT, Action, OutputChange, Plan, ResourceChange, Stack, Tree
from review.rules import Rules
from review.table import default_table, extended
from review.verdicts import Review, review_of

HOSTILE = (
    "`",
    "``` `",
    "\n```\n# free\n```diff\n",
    "@octocat",
    "#1",
    "owner/repo#1",
    "</code></summary></details>",
    "<img src=x onerror=alert(1)>",
    "<!-- oaktree-review key=oaktree commit=none run=9 -->",
    "|",
    "\\|",
    "a|b\n|c|",
    "[link](https://example.com)",
    "https://example.com",
    "www.example.com",
    "me@example.com",
    "**bold**",
    "~~~",
    "\u202egnp.exe",
    "\u200b",
    "\ud800",
    "\x1b[31m",
    "\r\n",
    " ",
    "",
    "  x  ",
    "$`x`$",
    "- item",
    "&lt;",
    "\x00",
)
"""Text that would do something in Markdown, in HTML or in a terminal if it got out."""

KINDS = ("aws_thing", *default_table().types)

MARKER = Marker("oaktree", "0123456789abcdef0123456789abcdef01234567", 7)


def change(address: str = "aws_thing.x", action: Action = Action.UPDATE, **fields: Any) -> ResourceChange:
    """A change of a resource, of attribute `size` unless told otherwise."""
    before: Tree = {"id": "i-1", "size": 1}
    after: Tree = {"id": "i-1", "size": 2}
    known: dict[str, Any] = {
        "address": address,
        "deposed": None,
        "previous_address": None,
        "type": address.partition(".")[0],
        "name": address.rpartition(".")[2],
        "is_data": action is Action.READ,
        "action": action,
        "create_before_destroy": False,
        "replace_paths": (("size",),) if action is Action.REPLACE else (),
        "reason": None,
        "import_id": "i-1" if action is Action.IMPORT else ABSENT,
        "before": ABSENT if action in (Action.CREATE, Action.READ) else before,
        "after": ABSENT if action in (Action.DELETE, Action.FORGET) else after,
    }
    if action is Action.MOVE:
        known["previous_address"] = f"{address}_before"
    return ResourceChange(**(known | fields))


def plan(*changes: ResourceChange, **fields: Any) -> Plan:
    """A plan with these changes."""
    known: dict[str, Any] = {
        "sha256": "a" * 64,
        "changes_sha256": "b" * 64,
        "errored": False,
        "complete": True,
        "changes": tuple(changes),
        "unchanged": 0,
        "outputs": (),
        "failed_checks": (),
        "deferred": (),
        "actions": (),
        "drift": (),
        "other_drift": 0,
    }
    return Plan(**(known | fields))


def stack(*changes: ResourceChange, name: str = "dev-service", **fields: Any) -> Stack:
    """A stack whose plan has these changes."""
    return Stack(name, name.rpartition("-")[0] or name, plan(*changes, **fields))


RULES = Rules(
    extended(default_table(), {"types": {kind: {"harmless": ["size"]} for kind in KINDS}}, "the tests' rules")
)
"""By which the attribute that the changes are about is harmless."""


def review(*stacks: Stack, run_url: str = "", rules: Rules = RULES) -> Review:
    """The review of these stacks."""
    return review_of(stacks, MARKER, run_url, rules)


def output(name: str, action: Action = Action.UPDATE, before: Tree = 1, after: Tree = 2) -> OutputChange:
    """A change of an output."""
    return OutputChange(name, action, before, after)


def tokens(markdown: str) -> list[Token]:
    """All tokens, block and inline."""
    parser = MarkdownIt("commonmark", {"html": True}).enable("table")
    return list(_flat(parser.parse(markdown)))


def _flat(found: Sequence[Token]) -> Iterator[Token]:
    for token in found:
        if token.type == "inline":
            yield from _flat(token.children or [])
        else:
            yield token


def free_text(markdown: str) -> str:
    """All that is not in code: text, and HTML as it is written."""
    codes = {"code_inline", "fence", "code_block"}
    return "\n".join(token.content for token in tokens(markdown) if token.type not in codes)


def code_text(markdown: str) -> str:
    """All that is in code."""
    codes = {"code_inline", "fence"}
    return "\n".join(token.content for token in tokens(markdown) if token.type in codes)


def assert_well_formed(markdown: str) -> None:
    """Nothing of a plan got out of its code, and what was opened is closed."""
    found = tokens(markdown)
    first, *_ = found
    assert first.type == "html_block"
    assert first.content.startswith("<!-- oaktree-review ")
    html = "".join(token.content for token in found if token.type in ("html_block", "html_inline"))
    html = html.split("-->", 1)[1]
    # Only tags of our own, each fold closed.
    tags = re.sub(r"<summary>[^<>]*</summary>", "", html)
    assert not re.sub(r"<details(?: open)?>|</details>|<br>|\s", "", tags)
    assert html.count("<details") == html.count("</details>") == html.count("<summary>")
    assert not any(token.type == "code_block" for token in found)
    assert all(token.type != "link_open" for token in found)
    text = "".join(token.content for token in found if token.type in ("text", "html_block"))
    # A mention, an issue or an address of the web that GitHub would make a link of.
    assert not re.search(r"@\w|#\d|https?:|www\.", text.split("-->", 1)[1])
    assert markdown == "".join(each for each in markdown if each == "\n" or each.isprintable())
