"""Reads what scanners such as checkov and trivy found, and puts it beside the resources of the plans.

SARIF 2.1.0 and JUnit XML, told apart by content. A finding names its resource itself (checkov's JUnit,
logical locations), by a line of a plan or a `cdk.tf.json`, or in its message. Source: OASIS, "Static Analysis
Results Interchange Format (SARIF) Version 2.1.0", sections 3.4 (artifact location), 3.27 (result) and 3.49
(reporting descriptor).
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Final, NoReturn
from urllib.parse import unquote
from xml.etree import ElementTree
from xml.parsers import expat

from review.findings import Finding, Scanned, Severity
from review.model import Action, ResourceChange, Stack, natural
from review.reading.secret_detection import redact
from review.reading.stacks import plan_files, without_number
from review.reading.structure import PlanError, object_in, objects_in, text_in

_LINK: Final = re.compile(r"https://[A-Za-z0-9.-]+(?:/[A-Za-z0-9._~/#?=&%-]*)?")
_TYPED: Final = r"(?:module\.[\w-]+(?:\[[^\]\s]+\])?\.)*[a-z0-9]+_\w+\.[\w-]+(?:\[[^\]\s]+\])?"
_IN_MESSAGE: Final = re.compile(rf"(?<![\w.]){_TYPED}")
_IN_MESSAGE_OF_KICS: Final = re.compile(r"(?<![\w.])([a-z0-9]+_\w+)\[(?:\{\{)?([A-Za-z_][\w-]*)(?:\}\})?\]")
"""KICS writes `aws_s3_bucket[uploads].acl`."""
_INDEX: Final = re.compile(r"\[[^\]]*\]")
_NAMED_BY_CHECKOV: Final = re.compile(r"^Resource: (.+)$", re.MULTILINE)
_LINKED_BY_CHECKOV: Final = re.compile(r"^Guideline: (\S+)$", re.MULTILINE)
_TEST_CASE: Final = re.compile(r"\[([A-Z]+)\]\s*\[?([A-Za-z0-9_.-]+)\]?\s*(.*)", re.DOTALL)
_PLAN_LINE: Final = re.compile(r'\s*"address": ?"((?:[^"\\]|\\.)+)",?\s*')
_CDKTF: Final = "cdk.tf.json"
_CDKTF_LINE: Final = re.compile(r'( {2}| {4}| {6})"([^"\\]+)": \{\s*')
_SCORES: Final = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM), (0.1, Severity.LOW))
"""GitHub's classes of `security-severity`, which checkov and trivy write.
Source: GitHub Docs, "SARIF support for code scanning", property `security-severity`."""
_Lines = Callable[[Path], list[str]]
_FAILURES: Final = frozenset({"", "fail", "open", "review"})
"""Kinds of results that somebody has to look at."""
_SHOWN: Final = frozenset({Action.CREATE, Action.UPDATE, Action.REPLACE, Action.IMPORT})


class ScanError(Exception):
    """A file is not what a scanner writes; the text says which, and what is read."""


@dataclass(frozen=True, slots=True)
class Found:
    """A finding and where it is: the resource's address if it is named, the file, the line (0: unknown)."""

    finding: Finding
    address: str
    file: str
    line: int
    message: str


def read_scans(scans: Iterable[Path]) -> tuple[Found, ...]:
    """Reads what scanners wrote. Raises ScanError."""
    return tuple(found for scan in scans for found in _read(scan))


def with_findings(
    stacks: Sequence[Stack], scans: Iterable[Found], plans: Sequence[Path]
) -> tuple[tuple[Stack, ...], Scanned]:
    """Returns the stacks with the findings beside what they create or change, and how many are elsewhere.

    `plans` are the files that the stacks were read from: a line of them tells a resource.
    """
    files = {file.name: file for file in plan_files(plans)}
    lines = cache(_addresses)
    changed = {stack.name: _shown(stack) for stack in stacks}
    placed: dict[tuple[str, str], dict[Finding, None]] = {}
    shown = elsewhere = unplaced = 0
    for found in scans:
        address = found.address or _by_line(found, files, lines) or _in_message(found.message)
        places = _places(found.file, address, changed)
        for place in places:
            placed.setdefault(place, {})[found.finding] = None
        shown += bool(places)
        elsewhere += bool(address and not places)
        unplaced += not address
    return tuple(_with(stack, placed) for stack in stacks), Scanned(shown, elsewhere, unplaced)


def _places(file: str, address: str, shown: Mapping[str, Mapping[str, list[str]]]) -> list[tuple[str, str]]:
    """Returns stack and address of each change that an address is of, in the file's stack if it has one."""
    path = PurePosixPath(file)
    name = path.parent.name if path.name == _CDKTF else path.stem
    own = [stack for stack in shown if without_number(stack) == name]
    return [(stack, each) for stack in own or shown for each in shown[stack].get(address, ())]


def _shown(stack: Stack) -> dict[str, list[str]]:
    """Returns the addresses of what a stack creates or changes, by themselves and without their indices."""
    found: dict[str, list[str]] = {}
    for change in stack.plan.changes if stack.plan else ():
        if change.action in _SHOWN:
            for key in {change.address, _INDEX.sub("", change.address)}:
                found.setdefault(key, []).append(change.address)
    return found


def _with(stack: Stack, placed: Mapping[tuple[str, str], Iterable[Finding]]) -> Stack:
    if stack.plan is None:
        return stack

    def marked(change: ResourceChange) -> ResourceChange:
        found = placed.get((stack.name, change.address)) if change.action in _SHOWN else None
        ordered = sorted(found or (), key=lambda each: (each.severity, natural(each.rule), each.title))
        return replace(change, findings=tuple(ordered)) if ordered else change

    return replace(stack, plan=replace(stack.plan, changes=tuple(map(marked, stack.plan.changes))))


def _read(scan: Path) -> list[Found]:
    try:
        raw = scan.read_bytes()
        # A byte order mark and the zeros of UTF-16 stand before the first character as well.
        first = raw[:64].translate(None, b"\xef\xbb\xbf\xfe\xff\x00 \t\r\n")[:1]
        return list(_junit(raw) if first == b"<" else _sarif(json.loads(raw)))
    except OSError as error:
        raise ScanError(f"--scan {scan} cannot be read: {error.strerror or error}") from None
    except (PlanError, ValueError, RecursionError, expat.ExpatError, ElementTree.ParseError) as error:
        raise ScanError(
            f"--scan {scan} is neither SARIF 2.1.0 nor JUnit XML: {redact(str(error))}. Write it with "
            "`checkov -o junitxml`, `checkov -o sarif` or `trivy config --format sarif`."
        ) from None


def _sarif(document: object) -> Iterator[Found]:
    log = object_in(document, "the document")
    if not text_in(log, "version", "the document").startswith("2.1") or "runs" not in log:
        raise PlanError("it has no `version` 2.1.0 with `runs`")
    for place, run in objects_in(log, "runs"):
        driver = object_in(object_in(run.get("tool"), f"{place}.tool").get("driver"), f"{place}.tool.driver")
        bases = object_in(run.get("originalUriBaseIds"), place)
        own = [rule for _, rule in objects_in(driver, "rules", place)]
        extensions = objects_in(object_in(run.get("tool"), place), "extensions", place)
        added = [rule for at, each in extensions for _, rule in objects_in(each, "rules", at)]
        rules = {text_in(rule, "id", place): rule for rule in [*added, *own]}
        for at, result in objects_in(run, "results", place):
            if text_in(result, "kind", at) in _FAILURES and not _is_suppressed(result, at):
                yield _result(result, rules, own, bases, at)


def _is_suppressed(result: Mapping[str, Any], at: str) -> bool:
    """Returns whether a result is suppressed: not while that is under review, nor when it was rejected."""
    found = [text_in(each, "status", where) for where, each in objects_in(result, "suppressions", at)]
    return bool(found) and all(status in ("", "accepted") for status in found)


def _result(
    result: Mapping[str, Any],
    rules: Mapping[str, Mapping[str, Any]],
    by_index: Sequence[Mapping[str, Any]],
    bases: Mapping[str, Any],
    at: str,
) -> Found:
    reference = object_in(result.get("rule"), at)
    name = text_in(result, "ruleId", at) or text_in(reference, "id", at)
    index = result.get("ruleIndex", reference.get("index"))
    if not name and isinstance(index, int) and 0 <= index < len(by_index):
        name = text_in(by_index[index], "id", at)
    rule = rules.get(name, {})
    message = _message(object_in(result.get("message"), f"{at}.message"), rule, at)
    descriptions = (
        object_in(rule.get(f"{size}Description"), f"{at}: its rule") for size in ("short", "full")
    )
    short = next(
        filter(None, (text_in(each, "text", at) for each in descriptions)), text_in(rule, "name", at)
    )
    # Trivy's message has a line for each fact; checkov's is a title.
    title = message if message and "\n" not in message.strip() else short or message
    address, file, line = "", "", 0
    for where, location in objects_in(result, "locations", at)[:1]:
        physical = object_in(location.get("physicalLocation"), where)
        artifact = object_in(physical.get("artifactLocation"), where)
        base = object_in(bases.get(text_in(artifact, "uriBaseId", where)), at)
        file = unquote(text_in(base, "uri", at) + text_in(artifact, "uri", where))
        start = object_in(physical.get("region"), where).get("startLine")
        line = start if isinstance(start, int) else 0
        for _, logical in objects_in(location, "logicalLocations", where):
            named = text_in(logical, "fullyQualifiedName", where) or text_in(logical, "name", where)
            address = address or _in_message(named)
    default = text_in(object_in(rule.get("defaultConfiguration"), at), "level", at) or "warning"
    severity = _severity(object_in(rule.get("properties"), at), text_in(result, "level", at) or default)
    finding = _finding(name, severity, title, text_in(rule, "helpUri", at))
    return Found(finding, address, file, line, message)


def _message(message: Mapping[str, Any], rule: Mapping[str, Any], at: str) -> str:
    """Returns a result's message, which may be one of its rule's with `{0}` for the first argument."""
    if text := text_in(message, "text", at):
        return text
    strings = object_in(rule.get("messageStrings"), at)
    text = text_in(object_in(strings.get(text_in(message, "id", at)), at), "text", at)
    arguments = message.get("arguments")
    for place, argument in enumerate(arguments if isinstance(arguments, list) else []):
        text = text.replace(f"{{{place}}}", str(argument))
    return text or text_in(message, "markdown", at)


def _severity(properties: Mapping[str, Any], level: str) -> Severity:
    try:
        score = float(properties["security-severity"])
    except (KeyError, TypeError, ValueError):
        return Severity.__members__.get(level.upper(), Severity.NONE)
    return next((severity for least, severity in _SCORES if score >= least), Severity.NONE)


def _junit(raw: bytes) -> Iterator[Found]:
    # Entities can grow without bounds or name files; no scanner's report declares any.
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.Parse(raw, True)
    root = ElementTree.fromstring(raw)  # noqa: S314 - without a document type there are no entities
    if root.tag not in ("testsuites", "testsuite"):
        raise PlanError("its root is no `testsuites`")
    for case in root.iter("testcase"):
        for failure in (*case.findall("failure"), *case.findall("error")):
            yield _failure(case, failure)


def _refuse_doctype(*_: object) -> NoReturn:
    raise PlanError("it has a DOCTYPE, which is not read")


def _failure(case: ElementTree.Element, failure: ElementTree.Element) -> Found:
    found = _TEST_CASE.fullmatch(case.get("name", ""))
    text = f"{failure.get('message', '')}\n{failure.text or ''}"
    severity = Severity.__members__.get(found[1], Severity.NONE) if found else Severity.NONE
    rule, title = (found[2], found[3]) if found else ("", case.get("name", ""))
    named, link = _NAMED_BY_CHECKOV.search(text), _LINKED_BY_CHECKOV.search(text)
    finding = _finding(rule, severity, title or failure.get("message", ""), link[1] if link else "")
    return Found(finding, named[1].strip() if named else "", case.get("file", ""), 0, text)


def _finding(rule: str, severity: Severity, title: str, link: str) -> Finding:
    line = title.strip().partition("\n")[0]
    return Finding(redact(rule), severity, redact(line), link if _LINK.fullmatch(link) else "")


def _in_message(text: str) -> str:
    if found := _IN_MESSAGE.search(text):
        return found[0]
    found = _IN_MESSAGE_OF_KICS.search(text)
    return f"{found[1]}.{found[2]}" if found else ""


def _by_line(found: Found, plans: Mapping[str, Path], read: _Lines) -> str:
    """Returns the resource on a line of a plan that is reviewed, or of a file that CDKTF wrote; or ""."""
    name = PurePosixPath(found.file).name
    path = Path(found.file.removeprefix("file://")) if name == _CDKTF else plans.get(name)
    addresses = read(path) if path else []
    # A whole plan on one line tells nothing.
    return addresses[found.line - 1] if len(addresses) > 1 and 0 < found.line <= len(addresses) else ""


def _addresses(path: Path) -> list[str]:
    """Returns the resource that each line of a file is about: the last one before it; empty if unreadable."""
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, ValueError):
        return []
    found: list[str] = []
    address = ""
    keys: dict[int, str] = {}
    for line in lines:
        if path.name != _CDKTF:
            if match := _PLAN_LINE.fullmatch(line):
                address = str(json.loads(f'"{match[1]}"'))
        elif match := _CDKTF_LINE.fullmatch(line):
            keys[len(match[1])] = match[2]
            address = f"{keys[4]}.{keys[6]}" if len(match[1]) == 6 and keys.get(2) == "resource" else ""
        found.append(address)
    return found
