"""Renders the lines of a `diff` block: differences of a resource, attributes of a new one."""

from collections.abc import Mapping
from typing import Final

from review.model import ABSENT, UNKNOWN, Difference, Document, Tree
from review.rendering.budget import prefix, size
from review.rendering.markdown import counted, fence, path_text, visible
from review.rendering.values import LINE, clip, pair, pretty, show, text_difference

WIDTH: Final = 100
"""Characters of a value on a line."""
MOST: Final = 120
"""Lines of one resource; further ones are counted."""
LARGEST: Final = 12_000
"""Bytes of these lines."""

LOST_MARK: Final = "(sensitive until now)"


def diff_block(lines: list[str]) -> str:
    """Fences the lines, cut so that a single resource cannot fill a comment."""
    shown = min(MOST, prefix(map(size, lines), LARGEST))
    if len(lines) > shown:
        lines = [*lines[:shown], f"  [{counted(len(lines) - shown, 'more line')}]"]
    return fence("\n".join(lines), "diff")


def difference_lines(difference: Difference, *, forces: str = "", lost_mark: bool = False) -> list[str]:
    """Renders one difference: a line for before and one for after, or several.

    `forces` is what it forces; `lost_mark` says that it loses its mark as sensitive.
    """
    name = visible(path_text(difference.path))
    lost = f" {LOST_MARK}" if lost_mark else ""
    forced = f"  # forces {forces}" if forces else ""
    mark = lost + forced
    before, after = difference.before, difference.after
    if before is ABSENT or (before is None and after is not ABSENT):
        return _one_sided("+", name, after, mark)
    if after is ABSENT or after is None:
        return _one_sided("-", name, before, mark)
    if isinstance(before, str) and isinstance(after, str):
        compared = text_difference(before, after)
        if compared is not None:
            return [f"  {name}:{mark}", *map(visible, compared)]
    old, new = pair(before, after, WIDTH)
    return [f"- {name}: {old}{forced}", f"+ {name}: {new}{lost}"]


def attribute_lines(after: Tree, common_tags: Mapping[str, Tree]) -> list[str]:
    """Renders what is set on a new resource; counts what AWS or Terraform will choose.

    Leaves out of `tags_all` what `tags` or `common_tags` have.
    """
    if not isinstance(after, dict):
        return []
    lines: list[str] = []
    unknown = 0
    for name in sorted(after):
        value = after[name]
        if name == "tags_all" and isinstance(value, dict):
            tags = after.get("tags")
            told = [common_tags, tags if isinstance(tags, dict) else {}]
            value = {key: tag for key, tag in value.items() if all(each.get(key) != tag for each in told)}
        if value is UNKNOWN:
            unknown += 1
        elif not _is_unset(value):
            lines += _one_sided("+", visible(name), _without_unset(value), "")
    if unknown:
        lines.append(f"  {counted(unknown, 'attribute')} known after apply")
    return lines


def only_unknown(after: Tree) -> list[str]:
    """Returns the attributes of a new resource if all of them are unknown, else an empty list."""
    if not isinstance(after, dict):
        return []
    given = {name: value for name, value in after.items() if not _is_unset(value)}
    return sorted(given) if all(value is UNKNOWN for value in given.values()) else []


def tag_lines(tags: Mapping[str, Tree]) -> list[str]:
    """Renders tags that new resources have in common."""
    return [f"+ {visible(path_text(('tags_all', key)))}: {show(tags[key], WIDTH)}" for key in sorted(tags)]


def _is_unset(value: Tree) -> bool:
    return value is None or value is ABSENT or value in ([], {})


def _without_unset(value: Tree) -> Tree:
    """Removes what is unset in a value's blocks; a single block replaces its list."""
    if isinstance(value, dict):
        return {key: _without_unset(each) for key, each in value.items() if not _is_unset(each)}
    if isinstance(value, list):
        if len(value) == 1 and isinstance(value[0], dict):
            return _without_unset(value[0])
        return [_without_unset(each) for each in value]
    return value


def _one_sided(sign: str, name: str, value: Tree, mark: str) -> list[str]:
    """Renders a value that exists on one side only, a large one over several lines."""
    if isinstance(value, str) and "\n" in value:
        shown = (clip(visible(line), 0, LINE) for line in value.split("\n"))
        return [f"{sign} {name}:{mark}", *(f"{sign}   {line}" for line in shown)]
    if isinstance(value, dict | list | Document):
        first, *others = pretty(value, WIDTH, first=len(name))
        return [f"{sign} {name}: {first}{mark}", *(f"{sign} {line}" for line in others)]
    return [f"{sign} {name}: {show(value, WIDTH)}{mark}"]
