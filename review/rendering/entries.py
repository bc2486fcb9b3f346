"""Renders each entry of a comment: one line when listed, with a code block in detail."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum

from review.findings import Finding, Severity
from review.model import (
    ABSENT,
    UNKNOWN,
    Action,
    ActionInvocation,
    DeferredChange,
    FailedCheck,
    OutputChange,
    ProvisionerRun,
    ResourceChange,
    Stack,
    Tree,
    Wait,
)
from review.rendering.budget import Entry
from review.rendering.grouping import Group, Item, Shared, common_tags
from review.rendering.lines import (
    LOST_MARK,
    WIDTH,
    attribute_lines,
    diff_block,
    difference_lines,
    only_unknown,
    tag_lines,
)
from review.rendering.markdown import (
    address_code,
    code,
    counted,
    fence,
    folded,
    number,
    path_list,
    path_text,
    visible,
)
from review.rendering.values import INLINE, SENSITIVE, pair, plain
from review.rendering.wording import DEFERRALS, DRIFT, PAST, REASONS, USERS, revision_nouns
from review.table import Table

_USERS = 20
"""Addresses of those that use a destroyed resource."""

_IDENTITY = ("id", "arn", "name")
_FINDINGS = 10
_ERROR = 6_000
"""Characters of Terraform's output when it fails."""


class Of(Enum):
    """What the changes of a group are, which decides the words about them."""

    PLAN = "plan"
    REVISIONS = "revisions"
    DRIFT = "drift"


def group_entries(group: Group, of: Of = Of.PLAN) -> tuple[Entry, ...]:
    """Returns the entries of a group: what one resource has alone, then what several share."""
    found: list[Entry] = []
    tags = common_tags(group)
    if tags:
        head = f"\n**All new resources that take tags have:**\n{diff_block(tag_lines(tags))}"
        found.append(Entry("", head, weight=0))
    found += [_item_entry(item, tags, of) for item in group.items]
    for shared in group.shared:
        found += _shared_entries(shared, of)
    return tuple(found)


def revision_entries(group: Group, table: Table) -> tuple[Entry, ...]:
    """Returns entries of replacements that only add a revision: why nothing is lost, then each."""
    types = sorted({item.change.type for item in group.items})
    reasons = ((each, table.deletion(each)) for each in types)
    why = "".join(f"- {code(each)}: {reason.text}.\n" for each, reason in reasons if reason)
    return (Entry(why, why, weight=0), *group_entries(group, Of.REVISIONS))


def _shared_entries(shared: Shared, of: Of) -> Iterator[Entry]:
    lines = [line for each in shared.differences for line in difference_lines(each)]
    names = path_list(dict.fromkeys(each.path for each in shared.differences))
    head = f"\n**The same on {counted(len(shared.items), 'resource')}:** {names}\n{diff_block(lines)}"
    yield Entry(head, head, weight=0)
    for item in sorted(shared.items, key=lambda each: not each.differences):
        yield _item_entry(item, {}, of)


def _item_entry(item: Item, tags: Mapping[str, Tree], of: Of) -> Entry:
    change = item.change
    lines = _lines(item, tags, of)
    about = " · ".join(_about(item, of))
    findings = _findings(change.findings)
    if item.has_shared and change.action is Action.CREATE:
        lines = []
    elif change.action is Action.CREATE and (names := only_unknown(change.after)):
        about = " · ".join(filter(None, (about, f"known after apply: {code(plain(', '.join(names)))}")))
        lines = []
    rest = f" · {about}" if about else ""
    address = address_code(change.address)
    listed = f"- {address}{rest}\n"
    detailed = f"\n**{address}**{rest}\n{diff_block(lines)}{findings}" if lines else f"{listed}{findings}"
    return Entry(listed, detailed, type=change.type)


def _findings(found: Sequence[Finding]) -> str:
    """Returns a line for each finding, the gravest first; further ones are counted."""
    more = len(found) - _FINDINGS
    rest = f"  - {number(more)} more in the verdict file\n" if more > 0 else ""
    return f"{''.join(map(_finding, found[:_FINDINGS]))}{rest}"


def _finding(finding: Finding) -> str:
    rule = code(finding.rule)
    linked = f"[{rule}]({finding.link})" if finding.link else rule
    severity = "" if finding.severity is Severity.NONE else f"{finding.severity.name.lower()} "
    return f"  - {severity}{linked}: {code(plain(finding.title))}\n"


def _lines(item: Item, tags: Mapping[str, Tree], of: Of) -> list[str]:
    change = item.change
    if change.action is Action.CREATE:
        return attribute_lines(change.after, tags)
    later: list[str] = []
    lines: list[str] = []
    forcing = {tuple(map(str, path)) for path in change.replace_paths}
    forced = f"the {revision_nouns({change.type})[0] if of is Of.REVISIONS else 'replacement'}"
    marks = {tuple(map(str, path)) for path in change.no_longer_sensitive}
    found = {
        path[:length] for path in (each.path for each in item.differences) for length in range(len(path) + 1)
    }
    for each in item.differences:
        if change.action is Action.REPLACE and each.after is UNKNOWN and len(each.path) == 1:
            later.append(each.path[0])
        else:
            lines += difference_lines(
                each,
                forces=forced if _is_within(each.path, forcing) else "",
                lost_mark=_is_within(each.path, marks),
            )
    # If only the mark differs, no other line shows it.
    lines += [f"  {visible(path_text(path))}: {SENSITIVE} {LOST_MARK}" for path in sorted(marks - found)]
    if later:
        text = f"known after apply: {visible(', '.join(later))}"
        lines += textwrap.wrap(text, WIDTH, initial_indent="  ", subsequent_indent="    ")
    return lines


def _is_within(path: tuple[str, ...], others: set[tuple[str, ...]]) -> bool:
    return any(path[:length] in others for length in range(len(path) + 1))


def _about(item: Item, of: Of) -> Iterator[str]:
    """Yields what the line of a change says besides its address."""
    change = item.change
    if change.deposed is not None:
        yield f"its deposed object {code(change.deposed)}"
    if of is Of.DRIFT:
        yield DRIFT.get(change.action, "changed")
    if change.action is Action.REPLACE:
        if change.keeps_former or of is not Of.REVISIONS:
            yield _order(change)
        if change.replace_paths:
            yield f"forced by {path_list(change.replace_paths)}"
    if change.previous_address is not None:
        yield f"moved from {address_code(change.previous_address)}"
    if change.import_id is not ABSENT:
        yield f"imported, id {code(plain(change.import_id))}"
    elif change.action in (Action.DELETE, Action.FORGET):
        yield from _identity(change)
    if change.reason is not None:
        words = REASONS.get(change.reason, f"reason {code(change.reason)}")
        if words:
            yield words
    if change.users and of is not Of.REVISIONS:
        yield _users(change)
    if change.findings:
        yield counted(len(change.findings), "finding")
    if item.has_shared and item.differences:
        yield "and beyond that"
    elif change.action is Action.UPDATE and not (
        item.has_shared or item.differences or change.no_longer_sensitive
    ):
        yield "the plan shows no difference"


def _users(change: ResourceChange) -> str:
    """Says what stays and uses a destroyed resource, and what the plan does to it."""
    states = {USERS[user.action] for user in change.users}
    told = [address_code(user.address) for user in change.users]
    if len(states) > 1:
        told = [f"{each} ({USERS[user.action]})" for each, user in zip(told, change.users, strict=True)]
    alike = f" ({states.pop()})" if len(states) == 1 else ""
    return f"used by {counted(len(told), 'resource')}{alike}: {folded(told, ', ', _USERS)}"


def _order(change: ResourceChange) -> str:
    """Says what a replacement does first, and what becomes of the previous object."""
    if change.keeps_former:
        return "created; the previous object stays in the account, no longer managed"
    return "created first, then deleted" if change.create_before_destroy else "deleted first, then created"


def _identity(change: ResourceChange) -> Iterator[str]:
    if isinstance(change.before, dict):
        for name in _IDENTITY:
            if change.before.get(name) is not None:
                yield f"{name} {code(plain(change.before[name]))}"
                return


def output_entry(output: OutputChange) -> Entry:
    """Renders an output and its values."""
    before, after = pair(output.before, output.after, INLINE)
    name = f"- {code(output.name)} {PAST.get(output.action, 'changed')}"
    if output.no_longer_sensitive:
        name += f" {LOST_MARK}"
    values = {
        Action.CREATE: code(after),
        Action.DELETE: code(before),
    }.get(output.action, f"{code(before)} → {code(after)}")
    return Entry(f"{name}\n", f"{name}: {values}\n")


def check_entry(check: FailedCheck) -> Entry:
    """Renders a failed check and its messages."""
    told = "; ".join(code(problem) for problem in check.problems)
    status = "failed" if check.status == "fail" else f"status {code(check.status)}"
    listed = f"- {address_code(check.address)} {status}\n"
    return Entry(listed, f"{listed[:-1]}: {told}\n" if told else listed)


def wait_entry(wait: Wait) -> Entry:
    """Renders what a stack waits for, and why."""
    listed = f"- {code(wait.stack)}\n"
    return Entry(listed, f"{listed[:-1]}: {code(wait.reason)}\n")


def deferred_entry(deferred: DeferredChange) -> Entry:
    """Renders a deferred change and the reason."""
    change = deferred.change
    why = DEFERRALS.get(deferred.reason, f"reason {code(deferred.reason)}")
    text = f"- {address_code(change.address)} ({change.action.value}): {why}\n"
    return Entry(text, text, type=change.type)


def invocation_entry(invocation: ActionInvocation) -> Entry:
    """Renders an action that the apply invokes."""
    text = f"- {address_code(invocation.address)} of type {code(invocation.type)}\n"
    return Entry(text, text)


def command_entry(run: ProvisionerRun) -> Entry:
    """Renders a command that the apply runs."""
    where = "where Terraform runs" if run.is_local else "on the resource"
    named = f"- {address_code(run.address)}, {code(run.type)}, {where}"
    return Entry(f"{named}\n", f"{named}: {code(plain(run.command))}\n")


def error_entries(stack: Stack) -> tuple[Entry, ...]:
    """Renders why there is no plan, and Terraform's output."""
    found = []
    if stack.problem:
        text = f"- {code(stack.problem)}\n"
        found.append(Entry(text, text))
    if stack.errors:
        text = fence(_clipped(stack.errors.strip("\n")))
        found.append(Entry(text, text))
    return tuple(found)


def _clipped(text: str) -> str:
    if len(text) <= _ERROR:
        return text
    return f"{text[:_ERROR]}\n[{len(text) - _ERROR:,} more characters]"


def note_entry(note: str) -> Entry:
    """Renders a note about the input."""
    text = f"- {code(note)}\n"
    return Entry(text, text)
