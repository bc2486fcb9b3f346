"""What plans of other providers than AWS mean."""

from typing import Any

import pytest

from review.flags import judge
from review.model import ABSENT, Action
from tests.review.flagging import change, flags_of, plan


@pytest.mark.parametrize(
    ("type", "before", "after", "titles"),
    [
        (
            "azurerm_network_security_rule",
            {"source_address_prefix": "10.0.0.0/8"},
            {"source_address_prefix": "*"},
            ["Open to the world"],
        ),
        (
            "azurerm_storage_account",
            {"allow_nested_items_to_be_public": False},
            {"allow_nested_items_to_be_public": True},
            ["Public access no longer blocked"],
        ),
        (
            "azurerm_key_vault",
            {"purge_protection_enabled": True},
            {"purge_protection_enabled": False},
            ["Deletion protection off"],
        ),
        ("azurerm_resource_group", {"tags": {"a": "1"}}, {"tags": {"a": "2"}}, []),
        (
            "github_branch_protection",
            {"enforce_admins": True},
            {"enforce_admins": False},
            ["Branch protection changed"],
        ),
        ("github_repository", {"visibility": "private"}, {"visibility": "public"}, ["Made public"]),
        (
            "google_compute_firewall",
            {"source_ranges": ["10.0.0.0/8"]},
            {"source_ranges": ["0.0.0.0/0"]},
            ["Open to the world"],
        ),
        (
            "google_sql_database_instance",
            {"deletion_protection": True},
            {"deletion_protection": False},
            ["Deletion protection off"],
        ),
        ("google_storage_bucket", {"labels": {"a": "1"}}, {"labels": {"a": "2"}}, []),
        (
            "google_storage_bucket_iam_binding",
            {"members": ["user:a"]},
            {"members": ["allUsers"]},
            ["Public by policy"],
        ),
        ("helm_release", {"version": "1"}, {"version": "2"}, ["Release changed"]),
        (
            "kubernetes_deployment",
            {"spec": [{"replicas": "3"}]},
            {"spec": [{"replicas": "0"}]},
            ["Scaled to zero"],
        ),
        (
            "kubernetes_service_v1",
            {"spec": [{"type": "ClusterIP"}]},
            {"spec": [{"type": "LoadBalancer"}]},
            ["Made public"],
        ),
    ],
)
def test_a_change_is_judged(
    type: str, before: dict[str, Any], after: dict[str, Any], titles: list[str]
) -> None:
    judged = judge("dev", plan([change(type, {"id": "x", **before}, {"id": "x", **after})]))
    assert ([each.title for each in judged.flags], judged.unjudged) == (titles, ())


@pytest.mark.parametrize(
    ("type", "after", "title"),
    [
        ("azurerm_role_assignment", {"role_definition_name": "Owner"}, "Administration allowed"),
        ("google_project_iam_member", {"role": "roles/owner", "member": "user:a"}, "Administration allowed"),
        ("google_service_account_key", {"service_account_id": "a"}, "New credentials"),
        (
            "kubernetes_cluster_role_binding",
            {"role_ref": [{"name": "cluster-admin"}]},
            "Administration allowed",
        ),
    ],
)
def test_a_new_permission_is_flagged(type: str, after: dict[str, Any], title: str) -> None:
    assert title in [each.title for each in flags_of("dev", plan([change(type, ABSENT, after)]))]


@pytest.mark.parametrize(
    "type",
    [
        "azurerm_resource_group",
        "github_repository",
        "google_sql_database_instance",
        "google_storage_bucket",
        "kubernetes_namespace",
        "kubernetes_persistent_volume_claim_v1",
    ],
)
def test_a_deletion_says_that_data_goes(type: str) -> None:
    (flag,) = flags_of("dev", plan([change(type, {"name": "main"})]))
    assert (flag.title, flag.weight > 90) == ("Data deleted", True)


@pytest.mark.parametrize(
    ("type", "title"),
    [
        ("random_bytes", "Secret replaced"),
        ("random_shuffle", "Random value replaced"),
        ("time_static", "Time moved"),
        ("tls_private_key", "Secret replaced"),
        ("tls_self_signed_cert", "Certificate replaced"),
    ],
)
def test_a_value_made_anew_says_so(type: str, title: str) -> None:
    (flag,) = flags_of("dev", plan([change(type, {"id": "a"}, {"id": "b"}, action=Action.REPLACE)]))
    assert flag.title == title


def test_archives_and_texts_that_are_made_anew_destroy_nothing() -> None:
    changes = [
        change(kind, {"id": "a"}, {"id": "b"}, action=Action.REPLACE)
        for kind in ("archive_file", "cloudinit_config")
    ]
    assert judge("dev", plan(changes)).flags == ()
