"""The certificate of a service's domain."""

from stacks.bindings import (
    AcmCertificate,
    AcmCertificateValidation,
    Construct,
    Route53Record,
    TerraformResourceLifecycle,
)
from stacks.policies import Statement


class Certificate:
    """An ACM certificate, validated by a record in the hosted zone; `arn` is usable once it is valid."""

    def __init__(self, scope: Construct, key: str, domain: str, zone_id: str) -> None:
        certificate = AcmCertificate(
            scope,
            f"{key}_certificate",
            domain_name=domain,
            validation_method="DNS",
            lifecycle=TerraformResourceLifecycle(create_before_destroy=True),
        )
        option = f"tolist(aws_acm_certificate.{key}_certificate.domain_validation_options)[0]"
        record = Route53Record(
            scope,
            f"{key}_certificate_proof",
            zone_id=zone_id,
            name=f"${{{option}.resource_record_name}}",
            type=f"${{{option}.resource_record_type}}",
            records=[f"${{{option}.resource_record_value}}"],
            ttl=300,
            allow_overwrite=True,
        )
        validation = AcmCertificateValidation(
            scope,
            f"{key}_certificate_validation",
            certificate_arn=certificate.arn,
            validation_record_fqdns=[record.fqdn],
        )
        self.arn = validation.certificate_arn


def deploy(account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for certificates and for the records of a domain."""
    return (
        Statement(
            "ChangeNamesAndCertificates",
            actions=[
                "acm:AddTagsToCertificate",
                "acm:DeleteCertificate",
                "acm:RemoveTagsFromCertificate",
                "route53:ChangeResourceRecordSets",
            ],
            resources=[f"arn:aws:acm:*:{account_id}:certificate/*", "arn:aws:route53:::hostedzone/*"],
        ),
        Statement("WithoutResource", actions=["acm:RequestCertificate"], resources=["*"]),
    )
