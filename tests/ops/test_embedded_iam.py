"""Roles on the embedded AWS, who may assume them with a token, and policies that AWS refuses."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from botocore.exceptions import ClientError

from ops.local.embedded import Embedded
from tests.ops.conftest import ACCOUNT, REGION
from tests.ops.github_tokens import ISSUER, MAIN, token, trust, trust_github

OTHER_ACCOUNT = "222222222222"
SUBJECTS = {f"{ISSUER}:aud": "sts.amazonaws.com", f"{ISSUER}:sub": MAIN}


@pytest.mark.parametrize(
    ("policy", "presented", "refused"),
    [
        (trust(OTHER_ACCOUNT, "other", MAIN), token(MAIN), ""),
        (
            trust(OTHER_ACCOUNT, StringLike={f"{ISSUER}:sub": "repo:example/*:ref:refs/heads/main"}),
            token(MAIN),
            "",
        ),
        (trust(OTHER_ACCOUNT, "other"), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, MAIN), token(MAIN.replace("main", "main2")), "AccessDenied"),
        (trust(OTHER_ACCOUNT, StringLike={f"{ISSUER}:sub": "repo:[e]xample/*"}), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, StringEquals={f"{ISSUER}:sub": "repo:*"}), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, StringEquals=SUBJECTS | {f"{ISSUER}:none": "x"}), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, StringEquals=SUBJECTS, Bool={"x": "true"}), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, MAIN).replace("Allow", "Deny"), token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, MAIN).replace("WithWebIdentity", ""), token(MAIN), "AccessDenied"),
        (trust(ACCOUNT, MAIN), token(MAIN), "AccessDenied"),
        ("{}", token(MAIN), "AccessDenied"),
        (trust(OTHER_ACCOUNT, MAIN), token(MAIN, aud="sts.example.com"), "InvalidIdentityToken"),
        (trust(OTHER_ACCOUNT, MAIN), token(MAIN, iss="https://issuer.example.com"), "InvalidIdentityToken"),
        (trust(OTHER_ACCOUNT, MAIN), "header.claims.signature", "InvalidIdentityToken"),
    ],
)
def test_a_role_is_assumed_with_a_token_that_its_trust_policy_admits_only(
    embedded: Embedded, policy: str, presented: str, refused: str
) -> None:
    iam, sts = (embedded.client(service, REGION, OTHER_ACCOUNT) for service in ("iam", "sts"))
    trust_github(iam)
    role = iam.create_role(RoleName="trusting", AssumeRolePolicyDocument=policy)["Role"]["Arn"]
    asked = {"RoleArn": role, "RoleSessionName": "job", "WebIdentityToken": presented}
    try:
        if refused:
            with pytest.raises(sts.exceptions.ClientError, match=refused):
                sts.assume_role_with_web_identity(**asked)
        else:
            assert sts.assume_role_with_web_identity(**asked)["Credentials"]["SessionToken"]
            with pytest.raises(sts.exceptions.ClientError, match="DurationSeconds exceeds the MaxSession"):
                sts.assume_role_with_web_identity(**asked, DurationSeconds=3601)
    finally:
        iam.delete_role(RoleName="trusting")


def test_a_role_that_does_not_exist_is_not_assumed_with_a_token(embedded: Embedded) -> None:
    trust_github(embedded.client("iam", REGION))
    sts = embedded.client("sts", REGION)
    with pytest.raises(
        sts.exceptions.ClientError, match=r"\(AccessDenied\).*Not authorized to perform sts:Ass"
    ):
        sts.assume_role_with_web_identity(
            RoleArn=f"arn:aws:iam::{ACCOUNT}:role/none", RoleSessionName="job", WebIdentityToken=token(MAIN)
        )


def test_an_account_has_one_oidc_provider_of_a_url(embedded: Embedded) -> None:
    iam = embedded.client("iam", REGION)
    trust_github(iam)
    with pytest.raises(iam.exceptions.EntityAlreadyExistsException):
        iam.create_open_id_connect_provider(Url=f"https://{ISSUER}")


def test_no_policy_may_have_a_statement_without_actions(embedded: Embedded) -> None:
    s3, ecr, iam = (embedded.client(service, REGION) for service in ("s3", "ecr", "iam"))
    s3.create_bucket(Bucket="governed", CreateBucketConfiguration={"LocationConstraint": REGION})
    ecr.create_repository(repositoryName="governed")
    resource = {"Resource": ["arn:aws:s3:::governed/*"]}
    statement = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": []}
    with pytest.raises(ClientError, match="MalformedPolicy"):
        s3.put_bucket_policy(Bucket="governed", Policy=policy_of(statement | resource))
    with pytest.raises(ClientError, match="InvalidParameterException"):
        ecr.set_repository_policy(repositoryName="governed", policyText=policy_of(statement))
    del statement["Principal"]
    with pytest.raises(ClientError, match="MalformedPolicyDocument"):
        iam.create_policy(PolicyName="governed", PolicyDocument=policy_of(statement | resource))


def policy_of(statement: Mapping[str, Any]) -> str:
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
