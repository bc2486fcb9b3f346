"""The regions that settings may name: those that the AWS provider accepts, all of which botocore knows."""

from typing import Final

PROVIDER: Final = "5.100.0"
"""The version of the AWS provider whose regions these are; update them with it.

Source: `endpoints` of aws-sdk-go-base 2.0.0-beta.65, with which the provider validates `region`.
"""

REGIONS: Final = (
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-west-1",
    "us-west-2",
)
"""Regions of AWS's commercial partition; an account may have to enable one before it can be used."""
