"""Renders what a plan does to what runs, and how to go back."""

import re
from collections.abc import Iterator, Sequence
from typing import Final

from review.effects.recovery import PLACEHOLDER, Loss, Recovery
from review.effects.rollouts import Effect, Rollout
from review.model import ABSENT, Difference, Tree, is_nothing
from review.rendering.markdown import address_code, code, counted, first, path_list, path_text
from review.rendering.values import INLINE, clip, plain
from review.table import Table
from review.verdicts import Review

TITLES: Final = {
    Effect.STOPPED: "Stopped",
    Effect.INTERRUPTED: "Interrupted",
    Effect.MAY_BE_INTERRUPTED: "May be interrupted",
    Effect.NOT_KNOWN: "Not known",
    Effect.REPLACED: "Replaced",
    Effect.OTHER_IMAGE: "Rolled out with another image",
    Effect.ROLLED: "Rolled out",
    Effect.SAME_IMAGE: "Rolled out with the same image",
    Effect.SAME_DEFINITION: "Rolled out with the same task definition",
    Effect.NOT_ROLLED: "Not rolled out",
    Effect.SCALED: "Only scaled",
    Effect.STARTED: "New",
    Effect.FORGOTTEN: "Keeps running, no longer managed",
    Effect.UNAFFECTED: "Keeps running as it is",
    Effect.IDLE: "Runs no tasks",
}

LASTING: Final = {
    "moved": "deletes and creates anew what is moved; a `moved` block in the other direction prevents that",
    "imported": "deletes what is imported; a `removed` block with `destroy = false` leaves it in the account",
    "forgotten": "creates a second one of what is forgotten; an `import` block takes back the first one",
}
"""What a plain revert does to each of these."""

_LINES: Final = 20
"""Lines of a section; further ones are counted."""
_MOST: Final = 10
_ALSO: Final = 4

_IMAGE: Final = re.compile(r"(?P<home>[^@\s]*?)(?::(?P<tag>[\w.-]+))?(?:@sha256:(?P<digest>[0-9a-f]{64}))?")
_DIGITS: Final = 12
"""Digits of a digest, as in the rest of a comment."""


def rollout_section(review: Review) -> str:
    """Renders a line for each thing that happens to services, with those to which it does; or ""."""
    several = len(review.stacks) > 1
    merged: dict[tuple[Effect, str], list[str]] = {}
    found = sorted((each for stack in review.stacks for each in stack.rollouts), key=lambda each: each.effect)
    for each in found:
        told = " · ".join(_about(each, review.rules.table))
        merged.setdefault((each.effect, told), []).append(_address(each, with_stack=several))
    lines = [
        " · ".join(filter(None, (f"- **{TITLES[effect]}**", first(addresses, _MOST), told)))
        for (effect, told), addresses in merged.items()
    ]
    return "\n".join(("### What runs", "", *_cut(lines))) if lines else ""


def _address(it: Rollout | Loss, *, with_stack: bool) -> str:
    return f"{address_code(it.address)} in {code(it.stack)}" if with_stack else address_code(it.address)


def _cut(lines: list[str]) -> list[str]:
    more = len(lines) - _LINES
    return [*lines[:_LINES], f"- {counted(more, 'more line')}"] if more > 0 else lines


def _about(it: Rollout, table: Table) -> Iterator[str]:
    if it.images:
        yield ", ".join(map(_image, it.images[:_ALSO]))
        if len(it.images) > _ALSO:
            yield counted(len(it.images) - _ALSO, "more image")
    if it.values:
        yield ", ".join(_value(each, table) for each in it.values[:_ALSO])
    if it.note:
        yield it.note
    if it.also:
        yield f"changes {first([code(path_text(path)) for path in it.also], _ALSO)}"


def _value(it: Difference, table: Table) -> str:
    name = table.names.get(it.path[-1]) or path_list([it.path])
    before, after = (code(plain(side)) for side in (it.before, it.after))
    return f"{name} {before} → {after}"


def _image(it: Difference) -> str:
    """Renders the image of a container, old and new, without what they have in common."""
    name = code(it.path[0])
    if it.before is ABSENT:
        return f"{name} is new, {code(_short(it.after))}"
    if it.after is ABSENT:
        return f"{name} is gone, {code(_short(it.before))}"
    sides, with_home = (it.before, it.after), _home(it.before) != _home(it.after)
    old, new = (_short(side, with_home=with_home) for side in sides)
    if old == new:
        old, new = (_short(side, with_home=with_home, digits=None) for side in sides)
    return f"{name} {code(old)} → {code(new)}"


def _home(image: Tree) -> str | None:
    """Returns the registry and repository of an image."""
    found = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    return found["home"] if found else None


def _short(image: Tree, *, with_home: bool = True, digits: int | None = _DIGITS) -> str:
    """Returns an image with a part of its digest, without its repository unless `with_home`."""
    found = _IMAGE.fullmatch(image) if isinstance(image, str) else None
    if found is None:
        return plain(image)
    digest = f"sha256:{found['digest'][:digits]}" if found["digest"] else ""
    tag = found["tag"] or ""
    if not with_home and (tag or digest):
        return "@".join(filter(None, (tag, digest)))
    return clip("@".join(filter(None, (":".join(filter(None, (found["home"], tag))), digest))), 0, INLINE)


def recovery_section(review: Review) -> str:
    """Renders, folded, what a revert brings back and what it does not; "" if it brings back everything."""
    found = [each.recovery for each in review.stacks if each.recovery]
    if all(each.is_simple for each in found):
        return ""
    several = len(review.stacks) > 1
    lost = [*_losses(found, with_stack=several), *_undone(found, review.rules.table)]
    paragraphs = [
        "<details><summary>How to go back</summary>",
        f"Reverting the commit and applying again {_restored(found)}",
        *(["What a revert does not bring back, and what does:", "\n".join(_cut(lost))] if lost else []),
        *(["It also:", "\n".join(also)] if (also := [*_lasting(found)]) else []),
        "</details>",
    ]
    return "\n\n".join(paragraphs)


def _restored(found: Sequence[Recovery]) -> str:
    updated, created, recreated = (
        sum(getattr(each, name) for each in found) for name in ("updated", "created", "recreated")
    )
    told = [f"gives {counted(updated, 'updated resource')} the previous values back"] if updated else []
    holder = "it" if created == 1 else "them"
    told += (
        [f"deletes {counted(created, 'created resource')} with what is in {holder} by then"]
        if created
        else []
    )
    told += [f"creates {counted(recreated, 'destroyed resource')} anew, with new ids"] if recreated else []
    return f"{'; '.join(told)}." if told else "brings back what the configuration says."


def _losses(found: Sequence[Recovery], *, with_stack: bool) -> Iterator[str]:
    merged: dict[tuple[str, str], list[str]] = {}
    for loss in (loss for each in found for loss in each.losses):
        told = "; or ".join(way(each, loss) for each in loss.ways) or "how is not known here"
        merged.setdefault((loss.what, told), []).append(_address(loss, with_stack=with_stack))
    for (what, told), addresses in merged.items():
        yield f"- {f'{what}: ' if what else ''}{told} · {first(addresses, _MOST)}"


def way(text: str, loss: Loss) -> str:
    """Renders a way in which something comes back, with the values that it names."""
    return PLACEHOLDER.sub(lambda named: _named(loss.values.get(named[1], ABSENT)), text)


def _named(value: Tree) -> str:
    return "(not known)" if is_nothing(value) else code(plain(value))


def _undone(found: Sequence[Recovery], table: Table) -> Iterator[str]:
    titles = dict.fromkeys(title for each in found for title in each.undone)
    yield from (f"- *{title}*: {table.back[title]}" for title in titles)


def _lasting(found: Sequence[Recovery]) -> Iterator[str]:
    """Yields what a plain revert does to moves, imports and forgotten resources."""
    for name, told in LASTING.items():
        if addresses := [address_code(address) for each in found for address in getattr(each, name)]:
            yield f"- {told} · {first(addresses, _MOST)}"
