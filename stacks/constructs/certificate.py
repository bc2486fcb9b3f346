"""The certificate of a domain."""

from stacks import routing
from stacks.bindings import (
    AcmCertificate,
    AcmCertificateValidation,
    Construct,
    Route53Record,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement
from stacks.settings import Platform


class Certificate:
    """An ACM certificate, validated by a record in the hosted zone; `arn` is usable once it is valid."""

    def __init__(self, scope: Construct, key: str, domain: str, zone_id: str) -> None:
        certificate = AcmCertificate(
            scope,
            f"certificate_{key}",
            domain_name=domain,
            validation_method="DNS",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        option = f"tolist(aws_acm_certificate.certificate_{key}.domain_validation_options)[0]"
        record = Route53Record(
            scope,
            f"certificate_{key}_proof",
            zone_id=zone_id,
            name=f"${{{option}.resource_record_name}}",
            type=f"${{{option}.resource_record_type}}",
            records=[f"${{{option}.resource_record_value}}"],
            ttl=300,
            allow_overwrite=True,
        )
        validation = AcmCertificateValidation(
            scope,
            f"certificate_{key}_validation",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
        )
        self.arn = validation.certificate_arn


def deploy(platform: Platform, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for the certificates and records of the account's domains.

    Source: AWS Service Authorization Reference, condition keys of Route 53 and of Certificate Manager.
    """
    domains = sorted(
        domain
        for environment in platform.environments.values()
        if environment.account_id == account_id
        for balancer in routing.balancers(environment)
        for domain in balancer.domains
    )
    if not domains:
        return ()
    tag = platform.project.name
    # ACM proves a domain by a record whose name begins with an underscore.
    records = [name for domain in domains for name in (domain, f"_*.{domain}")]
    return (
        Statement(
            "ChangeRecords",
            actions=["route53:ChangeResourceRecordSets"],
            resources=["arn:aws:route53:::hostedzone/*"],
            conditions={
                "ForAllValues:StringLike": {"route53:ChangeResourceRecordSetsNormalizedRecordNames": records}
            },
        ),
        Statement(
            "RequestCertificates",
            actions=["acm:RequestCertificate"],
            resources=["*"],
            conditions={"ForAllValues:StringEquals": {"acm:DomainNames": domains}},
        ),
        # Terraform sends the tags that change, of which the project's is one only at first.
        Statement(
            "TagCertificates",
            actions=["acm:AddTagsToCertificate"],
            resources=[f"arn:aws:acm:*:{account_id}:certificate/*"],
            conditions={
                "StringEqualsIfExists": {"aws:RequestTag/project": tag, "aws:ResourceTag/project": tag}
            },
        ),
        Statement(
            "ChangeCertificates",
            actions=["acm:DeleteCertificate", "acm:RemoveTagsFromCertificate"],
            resources=[f"arn:aws:acm:*:{account_id}:certificate/*"],
            conditions={"StringEquals": {"aws:ResourceTag/project": tag}},
        ),
    )
