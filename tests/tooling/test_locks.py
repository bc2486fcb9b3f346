"""The locks carry a hash for everything and the address of no index."""

import json
import re
from pathlib import Path

import pytest

from tests.places import ROOT

REQUIREMENTS = ROOT / "requirements"
DEV = REQUIREMENTS / "dev.txt"
SHOP = ROOT / "examples/shop/requirements.txt"
LOCKS = [*sorted(REQUIREMENTS.glob("*.txt")), SHOP]


def _entries(lock: Path) -> list[str]:
    """The lock's requirements, each with its markers and hashes on one line."""
    text = re.sub(r"^#.*\n", "", lock.read_text(), flags=re.MULTILINE)
    return text.replace("\\\n", " ").splitlines()


def _pins(lock: Path) -> set[str]:
    return {entry.partition(" --hash=")[0].strip() for entry in _entries(lock)}


def test_each_list_of_requirements_has_a_lock() -> None:
    assert [lock.stem for lock in LOCKS] == ["app", "checkov", "dev", "setup", "requirements"]
    lists = [*REQUIREMENTS.glob("*.in"), *ROOT.glob("examples/*/*.in")]
    assert {path.stem for path in lists} == {lock.stem for lock in LOCKS}


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_every_requirement_is_pinned_with_hashes(lock: Path) -> None:
    entry = re.compile(r"[a-z0-9-]+==\S+( ; [^-]+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in _entries(lock) if not entry.fullmatch(line)] == []


@pytest.mark.parametrize("lock", LOCKS, ids=lambda lock: lock.name)
def test_no_lock_names_an_index_or_a_path(lock: Path) -> None:
    assert re.findall(r".*(?:://|--index|--extra-index|--find-links|(?:^|\s)/).*", lock.read_text()) == []


@pytest.mark.parametrize("image", [REQUIREMENTS / "app.txt", SHOP], ids=["app", "shop"])
def test_a_desk_runs_a_program_with_the_packages_of_its_image(image: Path) -> None:
    # A smaller list may need a package for some versions of Python only.
    versions, here = ({pin.partition(" ;")[0] for pin in _pins(lock)} for lock in (image, DEV))
    assert versions <= here


def test_the_cdktf_command_is_that_of_the_library_and_its_lock_names_no_address() -> None:
    lock = json.loads((ROOT / "tests" / "package-lock.json").read_text())
    packages = {
        name: package for name, package in lock["packages"].items() if name.startswith("node_modules/")
    }
    library = next(pin for pin in _pins(DEV) if pin.startswith("cdktf=="))
    assert f"cdktf=={packages['node_modules/cdktf-cli']['version']}" == library
    local = {name for name, package in packages.items() if package.get("link")}
    assert local == {"node_modules/@cdktf/node-pty-prebuilt-multiarch"}
    for name, package in packages.items():
        assert "integrity" in package or "inBundle" in package or name in local, name
        assert "://" not in package.get("resolved", ""), name
