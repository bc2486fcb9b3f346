"""Releases go from main to production by make targets and by the workflows as they are written.

The tests are one story, in the order they stand here, that begins with three environments that are up: two
releases go through them, one is rolled back, one fails and is undone, two come at once.
"""

import json
import re
import threading
from functools import partial

import httpx
import pytest

from tests.actions.workflows import Played, Runner
from tests.e2e import calls
from tests.e2e.clone import Clone
from tests.e2e.delivery import ACCOUNTS, DEPLOY, HOME, PLAN, PROD, PUSH, client, pushed_to_main, record, well
from tests.e2e.desk import REGION, succeeded
from tests.e2e.roles import done_by_roles, read_role
from tests.ops.fake_app import fake_app
from tests.webapp.proxy import proxy
from tests.webapp.waiting import soon
from webapp.contract import fingerprint

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1200)]

COMMITS: dict[str, str] = {}
"""The commits of the story's releases by their names, as they are made."""

IMAGES: dict[str, str] = {}
"""Their images of the status app, by digest."""

SHOP: dict[str, tuple[str, str]] = {}
"""Those of the shop and of its prices."""


def runs(desk: Clone, env: str, name: str) -> bool:
    """Whether an environment runs a release: by its record, its task definition and what its app says."""
    image, commit = IMAGES[name], COMMITS[name]
    ecs = client(desk, "ecs", env)
    (service,) = ecs.describe_services(cluster=f"oaktree-{env}", services=[f"oaktree-{env}-web"])["services"]
    task = ecs.describe_task_definition(taskDefinition=service["taskDefinition"])["taskDefinition"]
    said = desk.app_says(env)["fingerprint"]
    recorded = record(desk, env)
    found = {
        (recorded["image"], recorded["commit"]),
        (task["containerDefinitions"][0]["image"], commit),
    }
    assert found == {(image, commit)}, found
    assert said == fingerprint(image.partition("@")[2], commit)
    return True


def shop_runs(desk: Clone, name: str) -> bool:
    """Whether dev runs a release of the shop: each service its image, and the page has the prices."""
    ecs = client(desk, "ecs", "dev")
    found = {}
    for service in ("shop", "worker", "cleanup", "prices"):
        task = ecs.describe_task_definition(taskDefinition=f"oaktree-dev-{service}")["taskDefinition"]
        found[service] = task["containerDefinitions"][0]["image"]
    own, prices = SHOP[name]
    assert found == {"shop": own, "worker": own, "cleanup": own, "prices": prices}
    assert "2.05 EUR" in desk.page("dev", "shop")
    return True


def place_order(desk: Clone) -> str:
    """Order something of the shop, and return the address of the order."""
    shop = desk.address("dev", "shop")
    placed = httpx.post(f"{shop}/orders", json={"product": "oak-pencil", "quantity": 2})
    return f"/orders/{placed.raise_for_status().json()['id']}"


def is_confirmed(desk: Clone, order: str) -> bool:
    """Whether the worker has confirmed an order."""
    return bool(json.loads(desk.page("dev", "shop", order))["state"] == "confirmed")


def migrations(desk: Clone) -> int:
    """How often before_deploy of the shop has run in dev."""
    log = (desk.memory / "logs/before-dev-shop.log").read_text()
    return log.count('"message": "migrated"')


def results(played: dict[str, Played]) -> dict[str, str]:
    return {name: job.result for name, job in played.items()}


def publish(desk: Clone, name: str, commit: str) -> str:
    """Push the images of a commit; returns that of the status app by digest."""
    done = desk.make(HOME, "-s", "image-publish", f"COMMIT={commit}")
    assert succeeded(done)
    keep(name, commit, done.stdout)
    return IMAGES[name]


def keep(name: str, commit: str, published: str) -> None:
    """Note the images of a commit."""
    images = json.loads(published)
    COMMITS[name], IMAGES[name], SHOP[name] = commit, images["web"], (images["shop"], images["prices"])


def merge(desk: Clone, name: str) -> str:
    """Commit a change of the app and the shop, so that their images have other contents; returns the commit.

    That of the prices stays the same.
    """
    for directory in ("webapp", "examples/shop/shop"):
        (desk.directory / directory / "release.txt").write_text(name)
    return desk.commit(name)


def test_the_first_release_goes_to_dev(desk: Clone) -> None:
    image = publish(desk, "first", merge(desk, "first"))
    own, prices = SHOP["first"]
    images = json.dumps({"web": image, "shop": own, "prices": prices})
    done = desk.make(HOME, "deploy", "ENV=dev", f"IMAGES={images}")
    assert succeeded(done)
    for users in ("web runs", "cleanup, shop, worker run", "prices runs"):
        assert f"dev: {users} {COMMITS['first'][:12]} (" in done.stdout
    assert runs(desk, "dev", "first")
    assert shop_runs(desk, "first")
    assert migrations(desk) == 1


def test_it_is_promoted_to_staging(desk: Clone) -> None:
    assert succeeded(desk.make(HOME, "promote", "FROM=dev", "TO=staging", "SERVICE=web"))
    assert record(desk, "staging")["why"] == f"promoted from dev version {record(desk, 'dev')['version']}"
    assert succeeded(desk.make(HOME, "deploy", "ENV=staging"))
    assert runs(desk, "staging", "first")


def test_it_is_promoted_to_prod_with_the_credentials_of_both_accounts(desk: Clone) -> None:
    done = desk.make(HOME, "promote", "FROM=staging", "TO=prod")
    told = re.search(r"^make (release ENV=prod .*)$", done.stderr, re.MULTILINE)
    assert told, done.stderr
    assert succeeded(desk.make(PROD, *told[1].split()))
    assert succeeded(desk.make(PROD, "deploy", "ENV=prod"))
    assert runs(desk, "prod", "first")


def test_a_second_release_goes_from_main_through_all_environments(desk: Clone, runner: Runner) -> None:
    order = place_order(desk)
    soon(partial(is_confirmed, desk, order), bool)
    COMMITS["second"] = merge(desk, "second")
    played = runner.play("release.yml", pushed_to_main(COMMITS["second"]), done=["ci"])
    assert well(played)
    places = ("first", "second", "third")
    assert results(played) == {
        "ci": "success",
        "publish": "success",
        **{name: "success" for place in places for name in (place, f"{place}/plan", f"{place}/deploy")},
        **dict.fromkeys(("fourth", "fifth", "sixth"), "skipped"),
    }
    assert runner.asked_for == ["dev", "staging", "prod"]
    keep("second", COMMITS["second"], played["publish"].outputs["images"])
    assert shop_runs(desk, "second")
    assert is_confirmed(desk, order)
    assert migrations(desk) == 2
    # What has not changed is not built again.
    assert (SHOP["second"][0] != SHOP["first"][0], SHOP["second"][1]) == (True, SHOP["first"][1])
    assert played["publish"].outputs["commit"] == COMMITS["second"]
    for env in ACCOUNTS:
        assert runs(desk, env, "second")
        assert record(desk, env)["by"] == "a-maintainer (GitHub)"
    assert "no new alarm among" in played["third/deploy"].said
    # Each plan had the image before it was recorded, and what was applied is what was planned.
    assert "prod-service" in played["third/plan"].said
    assert "NO CHANGES" not in played["third/plan"].said


def test_a_release_that_is_older_than_what_runs_is_skipped(desk: Clone) -> None:
    older = ("SERVICE=web", f"IMAGE={IMAGES['first']}", f"COMMIT={COMMITS['first']}")
    done = desk.make(HOME, "deploy", "ENV=dev", *older)
    assert succeeded(done)
    first, second = (COMMITS[name][:7] for name in ("first", "second"))
    assert f"Skipped: dev runs {second}, which is newer than {first}." in done.stdout
    assert runs(desk, "dev", "second")


def test_prod_is_rolled_back_to_the_first(desk: Clone) -> None:
    assert succeeded(desk.make(PROD, "rollback", "ENV=prod"))
    assert succeeded(desk.make(PROD, "deploy", "ENV=prod"))
    assert runs(desk, "prod", "first")
    done = desk.make(PROD, "releases", "ENV=prod")
    listed = re.findall(r"^[* ] +\d+ +\S+ +([0-9a-f]{12}) ", done.stdout, re.MULTILINE)
    assert listed[:3] == [COMMITS[name][:12] for name in ("first", "second", "first")]
    status = json.loads(desk.make(PROD, "-s", "status", "ENV=prod", "JSON=1").stdout)
    assert [each["is_deployed"] for each in status["services"]] == [True]


def test_a_release_whose_smoke_test_fails_is_undone_for_all_that_share_its_image(desk: Clone) -> None:
    publish(desk, "bad", merge(desk, "bad"))
    with fake_app() as balancer:
        balancer.answers = {"/health": (503, b"{}")}
        done = desk.make(
            HOME,
            "deploy",
            "ENV=dev",
            "SERVICE=shop",
            f"IMAGE={SHOP['bad'][0]}",
            f"ADDRESS={balancer.address}",
            "TIMEOUT=0.2",
        )
    assert done.returncode == 2
    assert "dev: the release failed and was undone: cleanup, shop, worker run " in done.stderr
    assert f"{balancer.address}/health answers 503" in done.stderr
    assert shop_runs(desk, "second")
    assert migrations(desk) == 3  # before the bad release, not before what it replaced
    assert runs(desk, "dev", "second")
    assert record(desk, "dev", "shop")["why"].startswith("undoes version ")


def test_of_two_releases_at_once_one_wins_and_the_other_is_told(desk: Clone) -> None:
    one, other = (publish(desk, name, merge(desk, name)) for name in ("one", "other"))
    version = record(desk, "dev")["version"]
    with proxy(desk.embedded.endpoint) as between:
        # Both have read the record before either writes it.
        between.meetings["DescribeImages"] = threading.Barrier(2)
        begun = [
            desk.begin(
                HOME,
                "release",
                "ENV=dev",
                "SERVICE=web",
                f"IMAGE={image}",
                f"COMMIT={COMMITS[name]}",
                AWS_ENDPOINT_URL=between.url,
            )
            for name, image in (("one", one), ("other", other))
        ]
        said = [process.communicate(timeout=120) for process in begun]
    codes = [process.returncode for process in begun]
    assert sorted(codes) == [0, 2], said
    winner, loser = ("one", "other") if codes[0] == 0 else ("other", "one")
    told = said[0 if loser == "one" else 1][1]
    assert re.search(
        r"Somebody recorded|recorded .* meanwhile|has been recording a release of web in dev", told
    )
    assert (record(desk, "dev")["version"], record(desk, "dev")["commit"]) == (version + 1, COMMITS[winner])
    assert succeeded(desk.make(HOME, "deploy", "ENV=dev"))
    assert runs(desk, "dev", winner)


JOBS = {(HOME, PUSH), (HOME, PLAN), (PROD, PLAN), (HOME, DEPLOY), (PROD, DEPLOY)}


def test_jobs_assume_the_roles_that_are_made_for_them(desk: Clone) -> None:
    assert set(calls.assumed_by_token(desk.memory)) == JOBS


def test_what_jobs_and_apps_did_is_what_their_roles_allow(desk: Clone) -> None:
    acted = done_by_roles(desk.memory, desk.first)
    tasks = {(account, f"oaktree-{env}-web-task") for env, account in ACCOUNTS.items()}
    starting = {(ACCOUNTS[env], f"oaktree-{env}-web-execution") for env in ("staging", "prod")}
    shop = {role for role in acted if role[1].startswith(("oaktree-dev-shop-", "oaktree-dev-worker-"))}
    assert {(HOME, f"oaktree-dev-{role}") for role in ("shop-execution", "worker-task")} <= shop
    assert set(acted) - shop == JOBS | tasks | starting
    # That nothing was denied says something: what one role did is not another one's to do.
    deployed = acted[HOME, DEPLOY]
    assert {"ecs:UpdateService", "ssm:PutParameter", "s3:PutObject"} <= {call.action for call in deployed}
    plan = read_role(desk.embedded.client("iam", REGION, HOME), HOME, PLAN)
    beyond = {call.action for call in deployed if not plan.allows(call)}
    assert {"ecs:UpdateService", "ecs:RegisterTaskDefinition", "ssm:PutParameter"} <= beyond
