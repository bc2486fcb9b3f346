"""What the documentation promises to list in full."""

from ops.core.checkout import SOURCE

MENDS = SOURCE / "ops/local/embedded_server/mends"


def test_the_page_about_the_embedded_aws_names_every_mend() -> None:
    page = (SOURCE / "docs/embedded-aws.md").read_text()
    mends = {file.stem for file in MENDS.glob("*.py")} - {"__init__"}
    assert {name for name in mends if f"`{name}`" not in page} == set()
