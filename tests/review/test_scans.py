"""What scanners found stands beside the resource it is about, and changes no verdict."""

import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given
from hypothesis import strategies as st

from review.reading.scans import ScanError, read_scans, with_findings
from tests.review.command import run
from tests.scan.plans import plan_of

RESOURCES = {
    "aws_sqs_queue": {"orders": {"name": "orders"}},
    "aws_s3_bucket": {"uploads": {"bucket": "uploads"}, "logs": {"bucket": "logs"}},
}
ADDRESSES = ("aws_sqs_queue.orders", "aws_s3_bucket.uploads", "aws_s3_bucket.logs")
TOKEN = "gh" + "p_" + "T0ken" * 8


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    """A plan that creates three resources, indented as `jq` does it."""
    path = tmp_path / "dev-data.json"
    path.write_text(json.dumps(plan_of({"resource": RESOURCES}), indent=2))
    return path


def sarif(path: Path, *results: dict[str, Any], rules: tuple[dict[str, Any], ...] = ()) -> Path:
    """Write a report with these results."""
    driver = {"name": "Checkov", "rules": list(rules)}
    path.write_text(
        json.dumps({"version": "2.1.0", "runs": [{"tool": {"driver": driver}, "results": list(results)}]})
    )
    return path


def result(rule: str, text: str, file: str = "", line: int = 0, **more: Any) -> dict[str, Any]:
    """A result as checkov and trivy write it."""
    region = {"startLine": line, "endLine": line}
    place = {"physicalLocation": {"artifactLocation": {"uri": file}, "region": region}}
    return {"ruleId": rule, "level": "error", "message": {"text": text}, "locations": [place]} | more


def junit(path: Path, *cases: tuple[str, str, str]) -> Path:
    """Write a report of checkov with failed cases: name, file and text."""
    tests = "".join(
        f"<testcase name={quoteattr(name)} classname='x' file={quoteattr(file)}>"
        f"<failure type='failure' message='m'>{escape(text)}</failure></testcase>"
        for name, file, text in cases
    )
    passed = "<testcase name='[NONE][CKV_OK] Passed' file='/dev-data.json'/>"
    path.write_text(
        f'<?xml version="1.0" ?>\n<testsuites><testsuite>{tests}{passed}</testsuite></testsuites>'
    )
    return path


def comment(plan: Path, *scans: Path) -> str:
    """The comment with these scans."""
    done = run(plan, *(each for scan in scans for each in ("--scan", scan)))
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def beside(text: str, address: str) -> str:
    """What stands in the entry of a resource, from its address to the next one's."""
    return text.partition(f"**`{address}`**")[2].partition("\n**`")[0].partition("</details>")[0]


def line_of(plan: Path, address: str) -> int:
    """The line on which the values of a resource begin, as checkov counts them."""
    lines = plan.read_text().splitlines()
    return next(number for number, line in enumerate(lines, 1) if f'"address": "{address}"' in line) + 4


@pytest.mark.parametrize("report", ["checkov.xml", "checkov.sarif"])
def test_what_checkov_wrote_of_a_plan_stands_beside_its_resources(report: str, tmp_path: Path) -> None:
    recorded = Path(__file__).parent / "scans"
    done = run(recorded / "dev-data.json", "--scan", recorded / report, "--json", tmp_path / "verdict.json")
    assert done.returncode == 0
    (stack,) = json.loads((tmp_path / "verdict.json").read_text())["stacks"]
    assert {each["address"]: {one["rule"] for one in each["findings"]} for each in stack["changes"]} == {
        "aws_ecs_service.web": {"CKV_AWS_333"},
        "aws_s3_bucket.uploads": {
            *("CKV2_AWS_6", "CKV2_AWS_61", "CKV2_AWS_62"),
            *("CKV_AWS_18", "CKV_AWS_21", "CKV_AWS_144", "CKV_AWS_145"),
        },
        "aws_sqs_queue.orders": {"CKV_AWS_27"},
    }


def test_a_finding_of_junit_stands_beside_the_resource_it_names(plan: Path, tmp_path: Path) -> None:
    text = "\nResource: aws_s3_bucket.uploads\nFile: /dev-data.json: 0-0\nGuideline: https://docs.test/s3-18"
    scan = junit(tmp_path / "r.xml", ("[HIGH][CKV_AWS_18] Ensure access logging", "/dev-data.json", text))
    shown = comment(plan, scan)
    assert "  - high [`CKV_AWS_18`](https://docs.test/s3-18): `Ensure access logging`\n" in beside(
        shown, "aws_s3_bucket.uploads"
    )
    assert "· 1 finding\n" in beside(shown, "aws_s3_bucket.uploads")
    assert "CKV" not in beside(shown, "aws_s3_bucket.logs") + beside(shown, "aws_sqs_queue.orders")
    assert "CKV_OK" not in shown
    assert "Scans: 1 finding beside what these plans create or change." in shown


def test_a_line_of_the_plan_tells_the_resource(plan: Path, tmp_path: Path) -> None:
    results = [
        result(f"CKV_{place}", "Ensure", "plans/dev-data.json", line_of(plan, address))
        for place, address in enumerate(ADDRESSES)
    ]
    shown = comment(plan, sarif(tmp_path / "r.sarif", *results))
    for place, address in enumerate(ADDRESSES):
        assert f"error `CKV_{place}`" in beside(shown, address)
        assert beside(shown, address).count("CKV_") == 1


def test_a_plan_on_one_line_tells_no_resource_and_that_is_said(plan: Path, tmp_path: Path) -> None:
    plan.write_text(json.dumps(json.loads(plan.read_text())))
    shown = comment(plan, sarif(tmp_path / "r.sarif", *[result("CKV_1", "Ensure", "dev-data.json", 1)] * 2))
    assert "CKV_1" not in shown
    assert "Scans: 0 findings beside what these plans create or change; 2 that name no resource." in shown


def test_a_line_of_what_cdktf_wrote_tells_the_resource_of_its_stack(plan: Path, tmp_path: Path) -> None:
    other = tmp_path / "prod-data.json"
    other.write_text(plan.read_text())
    file = tmp_path / "cdktf.out/stacks/prod-data/cdk.tf.json"
    file.parent.mkdir(parents=True)
    data = {"aws_s3_bucket": {"uploads": {"bucket": "x"}}}
    file.write_text(json.dumps({"data": data, "resource": RESOURCES}, indent=2))
    lines = file.read_text().splitlines()
    (in_data, own) = [number for number, line in enumerate(lines, 1) if '"uploads": {' in line]
    uri = str(file)
    based = result("AVD-3", "x", "stacks/prod-data/cdk.tf.json", own)
    based["locations"][0]["physicalLocation"]["artifactLocation"]["uriBaseId"] = "ROOTPATH"
    found_by_trivy = [result("AVD-1", "x", uri, own + 1), result("AVD-2", "x", uri, in_data), based]
    scan = sarif(tmp_path / "r.sarif", *found_by_trivy)
    document = json.loads(scan.read_text())
    document["runs"][0]["originalUriBaseIds"] = {"ROOTPATH": {"uri": f"file://{tmp_path}/cdktf.out/"}}
    scan.write_text(json.dumps(document))
    done = run(plan, other, "--scan", scan, "--json", tmp_path / "v.json", "--comment", tmp_path / "c.md")
    assert done.returncode == 0
    verdict = json.loads((tmp_path / "v.json").read_text())
    found = {
        (stack["name"], change["address"], each["rule"])
        for stack in verdict["stacks"]
        for change in stack["changes"]
        for each in change["findings"]
    }
    assert found == {("prod-data", "aws_s3_bucket.uploads", rule) for rule in ("AVD-1", "AVD-3")}
    assert verdict["scanned"] == {"shown": 2, "elsewhere": 0, "unplaced": 1}


def test_trivys_message_of_many_lines_gives_way_to_the_title_of_the_rule(plan: Path, tmp_path: Path) -> None:
    rule = {
        "id": "AVD-AWS-0089",
        "shortDescription": {"text": "S3 Bucket Logging"},
        "helpUri": "https://avd.test/misconfig/s3",
        "properties": {"security-severity": "5.5"},
    }
    told = "Artifact: main.tf\nMessage: Bucket aws_s3_bucket.logs has no logging\nLink: [x](https://x.test)"
    shown = comment(
        plan, sarif(tmp_path / "r.sarif", result("AVD-AWS-0089", told, "main.tf", 3), rules=(rule,))
    )
    assert "  - medium [`AVD-AWS-0089`](https://avd.test/misconfig/s3): `S3 Bucket Logging`\n" in beside(
        shown, "aws_s3_bucket.logs"
    )


def test_a_logical_location_names_the_resource(plan: Path, tmp_path: Path) -> None:
    place = {"logicalLocations": [{"fullyQualifiedName": "aws_sqs_queue.orders"}]}
    shown = comment(plan, sarif(tmp_path / "r.sarif", result("R1", "Encrypt", locations=[place])))
    assert "error `R1`: `Encrypt`" in beside(shown, "aws_sqs_queue.orders")


def test_the_gravest_finding_comes_first_and_the_same_one_is_shown_once(plan: Path, tmp_path: Path) -> None:
    text = "Resource: aws_sqs_queue.orders"
    found = [
        ("[LOW][A] a", "/dev-data.json", text),
        ("[CRITICAL][B] b", "/dev-data.json", text),
        ("[NONE][C_10] c", "/dev-data.json", text),
        ("[NONE][C_9] c", "/dev-data.json", text),
    ]
    scans = junit(tmp_path / "1.xml", *found), junit(tmp_path / "2.xml", *found)
    shown = beside(comment(plan, *scans), "aws_sqs_queue.orders")
    assert [line for line in shown.splitlines() if line.startswith("  - ")] == [
        "  - critical `B`: `b`",
        "  - low `A`: `a`",
        "  - `C_9`: `c`",
        "  - `C_10`: `c`",
    ]


def test_trivys_junit_has_its_title_in_the_message(plan: Path, tmp_path: Path) -> None:
    scan = tmp_path / "r.xml"
    scan.write_text(
        "<testsuites><testsuite><testcase classname='terraform' name='[HIGH] AVD-AWS-0086'>"
        "<failure message='S3 has public ACLs'>aws_s3_bucket.logs</failure></testcase>"
        "</testsuite></testsuites>"
    )
    shown = beside(comment(plan, scan), "aws_s3_bucket.logs")
    assert "high `AVD-AWS-0086`: `S3 has public ACLs`" in shown


def test_an_address_without_index_is_of_all_instances(tmp_path: Path) -> None:
    document = plan_of({"resource": RESOURCES})
    for index, each in enumerate(document["resource_changes"][1:]):
        each["address"] = f"aws_s3_bucket.x[{index}]"
    del document["planned_values"]
    plan = tmp_path / "dev-data.json"
    plan.write_text(json.dumps(document))
    scan = junit(
        tmp_path / "r.xml",
        ("[LOW][ALL] a", "/elsewhere.tf", "Resource: aws_s3_bucket.x"),
        ("[LOW][ONE] a", "/elsewhere.tf", "Resource: aws_s3_bucket.x[1]"),
    )
    shown = comment(plan, scan)
    assert "`ALL`" in beside(shown, "aws_s3_bucket.x[0]")
    assert "`ONE`" not in beside(shown, "aws_s3_bucket.x[0]")
    assert "`ONE`" in beside(shown, "aws_s3_bucket.x[1]")


def test_what_the_plan_does_not_change_or_deletes_is_counted_only(plan: Path, tmp_path: Path) -> None:
    document = json.loads(plan.read_text())
    change = document["resource_changes"][0]["change"]
    change |= {"actions": ["delete"], "before": change["after"], "after": None}
    plan.write_text(json.dumps(document))
    scan = junit(
        tmp_path / "r.xml",
        ("[LOW][GONE] a", "/dev-data.json", "Resource: aws_sqs_queue.orders"),
        ("[LOW][OTHER] a", "/dev-data.json", "Resource: aws_sqs_queue.unchanged"),
        ("[LOW][NOWHERE] a", "/dev-data.json", "-"),
    )
    shown = comment(plan, scan)
    assert not any(name in shown for name in ("GONE", "OTHER", "NOWHERE"))
    assert "create or change; 2 on resources that they do not change; 1 that names no resource." in shown


def test_findings_change_neither_verdict_nor_exit_status(plan: Path, tmp_path: Path) -> None:
    scan = junit(tmp_path / "r.xml", ("[CRITICAL][A] a", "/dev-data.json", "Resource: aws_sqs_queue.orders"))
    plain = run(plan, "--detailed-exitcode")
    scanned = run(plan, "--detailed-exitcode", "--scan", scan)
    assert scanned.returncode == plain.returncode
    assert scanned.stdout.splitlines()[1] == plain.stdout.splitlines()[1]


@pytest.mark.parametrize(
    "more",
    [
        {"suppressions": [{"kind": "inSource"}]},
        {"suppressions": [{"kind": "external", "status": "accepted"}]},
        {"kind": "pass"},
        {"kind": "notApplicable"},
    ],
)
def test_what_is_suppressed_or_no_failure_is_no_finding(
    plan: Path, tmp_path: Path, more: dict[str, Any]
) -> None:
    shown = comment(plan, sarif(tmp_path / "r.sarif", result("R1", "aws_sqs_queue.orders", **more)))
    assert "R1" not in shown
    assert "Scans: 0 findings" in shown


@pytest.mark.parametrize(
    "more",
    [
        {"suppressions": []},
        {"suppressions": [{"kind": "external", "status": "rejected"}]},
        {"suppressions": [{"kind": "external"}, {"kind": "external", "status": "underReview"}]},
        {"kind": "open"},
        {"kind": "review"},
        {"kind": None},
    ],
)
def test_what_somebody_has_to_look_at_is_a_finding(plan: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    shown = comment(plan, sarif(tmp_path / "r.sarif", result("R1", "aws_sqs_queue.orders", **more)))
    assert "error `R1`" in beside(shown, "aws_sqs_queue.orders")


@pytest.mark.parametrize("more", [{"ruleIndex": 1}, {"rule": {"index": 1}}])
def test_a_rule_may_be_named_by_its_place(plan: Path, tmp_path: Path, more: dict[str, Any]) -> None:
    rules = ({"id": "R0"}, {"id": "R1", "helpUri": "https://example.com/r1"})
    found = result("", "aws_sqs_queue.orders") | more
    shown = comment(plan, sarif(tmp_path / "r.sarif", found, rules=rules))
    assert "[`R1`](https://example.com/r1)" in beside(shown, "aws_sqs_queue.orders")


def test_a_rule_may_be_an_extensions(plan: Path, tmp_path: Path) -> None:
    scan = sarif(tmp_path / "r.sarif", result("R1", "On:\naws_sqs_queue.orders"))
    document = json.loads(scan.read_text())
    rule = {"id": "R1", "fullDescription": {"text": "What the rule is about"}}
    document["runs"][0]["tool"]["extensions"] = [{"name": "more", "rules": [rule]}]
    scan.write_text(json.dumps(document))
    assert "`R1`: `What the rule is about`" in beside(comment(plan, scan), "aws_sqs_queue.orders")


def test_a_message_may_be_its_rules(plan: Path, tmp_path: Path) -> None:
    rule = {"id": "R1", "messageStrings": {"default": {"text": "{0} is open to {1}"}}}
    message = {"id": "default", "arguments": ["aws_sqs_queue.orders", "everybody"]}
    scan = sarif(tmp_path / "r.sarif", result("R1", "", message=message), rules=(rule,))
    assert "`R1`: `aws_sqs_queue.orders is open to everybody`" in comment(plan, scan)


@pytest.mark.parametrize("name", ["aws_sqs_queue[orders]", "aws_sqs_queue[{{orders}}]"])
def test_kics_names_a_resource_in_brackets(plan: Path, tmp_path: Path, name: str) -> None:
    scan = sarif(tmp_path / "r.sarif", result("R1", f"'{name}.policy' should be set", "main.tf", 3))
    assert "`R1`" in beside(comment(plan, scan), "aws_sqs_queue.orders")


def test_many_findings_on_a_resource_leave_room_for_the_others(plan: Path, tmp_path: Path) -> None:
    results = (result(f"R{index}", f"aws_sqs_queue.orders {'x' * 99}") for index in range(2_000))
    shown = comment(plan, sarif(tmp_path / "r.sarif", *results))
    assert "`R9`" in shown
    assert "  - 1,990 more in the verdict file\n" in beside(shown, "aws_sqs_queue.orders")
    assert "Left out" not in shown


def test_a_level_is_said_only_as_the_scanner_says_it(plan: Path, tmp_path: Path) -> None:
    about = "on aws_sqs_queue.orders"
    results = (
        result("R1", about, level="warning"),
        result("R2", about, level=None),
        result("R3", about, level="none"),
        result("R4", about),
    )
    rules = (
        {"id": "R2", "defaultConfiguration": {"level": "note"}},
        {"id": "R4", "properties": {"security-severity": "9.5"}},
    )
    shown = beside(comment(plan, sarif(tmp_path / "r.sarif", *results, rules=rules)), "aws_sqs_queue.orders")
    assert [line[4:].partition(":")[0] for line in shown.splitlines() if line.startswith("  - ")] == [
        "critical `R4`",
        "warning `R1`",
        "note `R2`",
        "`R3`",
    ]


def test_secrets_are_masked_and_hostile_text_stays_in_code(plan: Path, tmp_path: Path) -> None:
    text = f"aws_sqs_queue.orders has {TOKEN} ``` </details> @octocat <img src=x>\x1b[31m"
    rule = {"id": "R`1`", "helpUri": "https://x.test/)[a](javascript:alert(1)"}
    shown = comment(plan, sarif(tmp_path / "r.sarif", result("R`1`", text, line=1), rules=(rule,)))
    assert TOKEN not in shown
    line = next(line for line in shown.splitlines() if "R`1`" in line)
    assert line.startswith("  - error `` R`1` ``: ````")
    assert line.endswith("````")
    assert "javascript" not in shown
    assert "\x1b" not in shown
    verdict = tmp_path / "v.json"
    run(plan, "--scan", tmp_path / "r.sarif", "--json", verdict)
    assert TOKEN not in verdict.read_text()


def test_utf_16_is_read(plan: Path, tmp_path: Path) -> None:
    scan = sarif(tmp_path / "r.sarif", result("R1", "aws_sqs_queue.orders"))
    scan.write_text(scan.read_text(), "utf-16")
    other = junit(tmp_path / "r.xml", ("[LOW][R2] x", "/dev-data.json", "Resource: aws_sqs_queue.orders"))
    other.write_text(other.read_text().replace('"1.0"', '"1.0" encoding="utf-16"'), "utf-16")
    shown = beside(comment(plan, scan, other), "aws_sqs_queue.orders")
    assert "`R1`" in shown
    assert "`R2`" in shown


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"no scan",
        b"[]",
        b"{}",
        b'{"version": "1.0", "runs": []}',
        b'{"version": "2.1.0"}',
        b'{"version": "2.1.0", "runs": {}}',
        b'{"version": "2.1.0", "runs": [{"tool": [], "results": []}]}',
        b'{"version": "2.1.0", "runs": [{"results": [{"message": 1}]}]}',
        b"[" * 100_000,
        b"\xff\xfe\x00",
        b"<html></html>",
        b"<testsuites>",
        b'<!DOCTYPE t [<!ENTITY a "aa">]><testsuites>&a;</testsuites>',
        b'<?xml version="1.0"?><!DOCTYPE t SYSTEM "file:///etc/passwd"><testsuites/>',
    ],
)
def test_another_file_is_told_with_status_two(plan: Path, tmp_path: Path, raw: bytes) -> None:
    scan = tmp_path / "scan"
    scan.write_bytes(raw)
    done = run(plan, "--scan", scan)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"--scan {scan} is neither SARIF 2.1.0 nor JUnit XML: ")
    assert "checkov -o junitxml" in done.stderr


def test_a_missing_file_is_told_with_status_two(plan: Path, tmp_path: Path) -> None:
    done = run(plan, "--scan", tmp_path / "none")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"--scan {tmp_path / 'none'} cannot be read: No such file or directory" in done.stderr


KEYS = st.sampled_from(
    (
        *("version", "runs", "tool", "driver", "rules", "id", "results", "ruleId", "rule", "level", "kind"),
        *("message", "text", "locations", "physicalLocation", "artifactLocation", "uri", "uriBaseId"),
        *("region", "startLine", "logicalLocations", "name", "properties", "security-severity"),
    )
)
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.just("2.1.0")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
)
RUNS = st.lists(
    st.fixed_dictionaries(
        {"results": st.lists(st.dictionaries(KEYS, VALUES, max_size=6), max_size=3)},
        optional={"tool": st.fixed_dictionaries({"driver": st.dictionaries(KEYS, VALUES)})},
    ),
    max_size=2,
)
PARTS = (
    *("<testsuites>", "</testsuites>", "<testcase>", "</testcase>", "<failure/>", "<failure>", "</failure>"),
    *("<testcase file='x' name='[LOW][A]'>", "Resource: aws_a.b", "&lt;", "&x;", "<!DOCTYPE a>", "<?xml?>"),
)
XML = st.lists(st.sampled_from(PARTS)).map(lambda parts: " ".join(parts).encode())


@given(
    st.one_of(
        st.binary(),
        XML,
        VALUES.map(lambda value: json.dumps(value).encode()),
        RUNS.map(lambda runs: json.dumps({"version": "2.1.0", "runs": runs}).encode()),
    )
)
def test_any_bytes_are_read_or_refused_in_words(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "scan"
    path.write_bytes(raw)
    refused, found = "", None
    try:
        found = read_scans([path])
    except ScanError as error:
        refused = str(error)
    assert refused.startswith(f"--scan {path} ") if found is None else with_findings((), found, ())[0] == ()
