"""The tasks that run and end: the nightly job, and the migration before each deployment."""

import json

import pytest

from programs import module


def test_the_job_prints_what_it_did_as_one_line_and_ends_with_status_0() -> None:
    done = module("shop.cleanup", "--days", "7")
    assert (done.returncode, done.stderr) == (0, "")
    (line,) = done.stdout.splitlines()
    assert json.loads(line).items() >= {"message": "cleaned up", "closed": 0, "older_than_days": 7}.items()


def test_the_migration_can_run_twice() -> None:
    for _ in range(2):
        done = module("shop.migrate", PRICES_URL="http://prices.dev.shop.internal:8081")
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout)["schema"] == 1


@pytest.mark.parametrize("address", ["", "prices:8081", "http://", "http://prices:x", "ftp://prices"])
def test_the_migration_stops_a_deployment_whose_configuration_is_wrong(address: str) -> None:
    done = module("shop.migrate", PRICES_URL=address)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"PRICES_URL: {repr(address) if address else 'missing'}")
