"""Attributes by which something gets reachable, readable or less guarded."""

from typing import Final

from review.flags.switches import Switch, by_attribute, has, none_of, nothing, off, on, one_of

PUBLIC_ACLS = ("public-read", "public-read-write", "authenticated-read", "website")

GUARDS = frozenset({"aws_s3_bucket_public_access_block", "aws_s3_account_public_access_block"})

LOAD_BALANCERS = frozenset({"aws_lb", "aws_alb", "aws_elb"})
LISTENERS = frozenset({"aws_lb_listener", "aws_alb_listener"})
SEARCH = frozenset({"aws_opensearch_domain", "aws_elasticsearch_domain"})

WEAK_TLS = (
    "elbsecuritypolicy-2016-08",
    "elbsecuritypolicy-2015-05",
    "elbsecuritypolicy-fs-2018-06",
    "elbsecuritypolicy-tls-1-0-2015-04",
    "elbsecuritypolicy-tls-1-1-2017-01",
    "elbsecuritypolicy-fs-1-1-2019-08",
    "elbsecuritypolicy-tls13-1-0-2021-06",
    "elbsecuritypolicy-tls13-1-1-2021-06",
    "policy-min-tls-1-0-2019-07",
    "sslv3",
    "tlsv1",
    "tlsv1_2016",
    "tlsv1.1_2016",
    "tls_1_0",
)
"""Policies that still speak TLS 1.0 or 1.1.

Source: AWS's documentation, "Security policies for your Application Load Balancer", "Supported
protocols and ciphers between viewers and CloudFront".
"""

_ADDRESSES = "The tasks or instances newly get public addresses."
_TLS = "Versions of TLS that are no longer safe are newly accepted."
_PLAIN = "Visitors may newly use HTTP without being sent to HTTPS."
_BUCKET = "What kept the bucket from being public is turned off."
_NO_LOGIN = "Open without login"

OPENINGS: Final = by_attribute(
    Switch(
        "publicly_accessible", on, "Made public", "It newly has an address on the internet.", when_new=True
    ),
    Switch(
        "map_public_ip_on_launch",
        on,
        "Made public",
        "What starts in the subnet newly gets a public address.",
        frozenset({"aws_subnet", "aws_default_subnet"}),
        when_new=True,
    ),
    Switch("network_configuration.assign_public_ip", on, "Made public", _ADDRESSES, when_new=True),
    Switch("associate_public_ip_address", on, "Made public", _ADDRESSES, when_new=True),
    Switch("network_interfaces.associate_public_ip_address", on, "Made public", _ADDRESSES, when_new=True),
    Switch(
        "internal",
        off,
        "Made public",
        "The load balancer newly has an address on the internet.",
        LOAD_BALANCERS,
        when_new=True,
    ),
    Switch(
        "vpc_config.endpoint_public_access",
        on,
        "Made public",
        "The cluster's API newly has an address on the internet.",
        frozenset({"aws_eks_cluster"}),
    ),
    Switch(
        "acl",
        one_of(*PUBLIC_ACLS),
        "Made public",
        "The access control list newly lets others read or write.",
        when_new=True,
    ),
    Switch(
        "group",
        one_of("all"),
        "Shared with everybody",
        "Every AWS account can newly start the image.",
        frozenset({"aws_ami_launch_permission"}),
        when_new=True,
    ),
    Switch(
        "shared_accounts",
        has("all"),
        "Shared with everybody",
        "Every AWS account can newly restore the snapshot.",
        when_new=True,
    ),
    Switch(
        "allow_unauthenticated_identities",
        on,
        _NO_LOGIN,
        "Who has not logged in newly gets AWS credentials.",
        frozenset({"aws_cognito_identity_pool"}),
        when_new=True,
    ),
    Switch(
        "authorization_type",
        one_of("NONE"),
        _NO_LOGIN,
        "Everybody may newly call the function by its address.",
        frozenset({"aws_lambda_function_url"}),
        when_new=True,
    ),
    Switch(
        "authorization_type",
        one_of("NONE"),
        _NO_LOGIN,
        "The route of the API newly asks for no authorisation.",
        frozenset({"aws_apigatewayv2_route"}),
        when_new=True,
    ),
    Switch(
        "authorization",
        one_of("NONE"),
        _NO_LOGIN,
        "The method of the API newly asks for no authorisation.",
        frozenset({"aws_api_gateway_method"}),
        when_new=True,
    ),
    Switch(
        "advanced_security_options.enabled",
        off,
        _NO_LOGIN,
        "The search domain no longer asks for a login of its own.",
        SEARCH,
    ),
    Switch("vpc_options", nothing, "Made public", "The search domain is no longer inside of a VPC.", SEARCH),
    Switch(
        "domain_endpoint_options.enforce_https",
        off,
        "Unencrypted traffic",
        "The search domain no longer insists on HTTPS.",
        SEARCH,
    ),
    Switch(
        "protocol",
        one_of("HTTP", "TCP", "TCP_UDP", "UDP"),
        "Unencrypted traffic",
        "The listener no longer uses TLS.",
        LISTENERS,
    ),
    Switch(
        "default_cache_behavior.viewer_protocol_policy",
        one_of("allow-all"),
        "Unencrypted traffic",
        _PLAIN,
        when_new=True,
    ),
    Switch(
        "ordered_cache_behavior.viewer_protocol_policy",
        one_of("allow-all"),
        "Unencrypted traffic",
        _PLAIN,
        when_new=True,
    ),
    Switch("ssl_policy", one_of(*WEAK_TLS), "Weaker TLS", _TLS, LISTENERS),
    Switch("viewer_certificate.minimum_protocol_version", one_of(*WEAK_TLS), "Weaker TLS", _TLS),
    Switch("security_policy", one_of(*WEAK_TLS), "Weaker TLS", _TLS),
    Switch("domain_endpoint_options.tls_security_policy", one_of(*WEAK_TLS), "Weaker TLS", _TLS),
    Switch(
        "internet_gateway_block_mode",
        none_of("block-bidirectional", "block-ingress"),
        "Internet access no longer blocked",
        "The block of public access to VPCs is turned off.",
    ),
    Switch(
        "metadata_options.http_tokens",
        none_of("required"),
        "Instance credentials open",
        "Instances give out their credentials without a session token.",
    ),
    Switch(
        "drop_invalid_header_fields",
        off,
        "Requests less checked",
        "The load balancer no longer drops headers that are not valid.",
        LOAD_BALANCERS,
    ),
    Switch(
        "desync_mitigation_mode",
        one_of("monitor"),
        "Requests less checked",
        "The load balancer no longer stops requests that servers may read differently.",
        LOAD_BALANCERS,
    ),
    Switch("block_public_acls", off, "Public access no longer blocked", _BUCKET, GUARDS, when_new=True),
    Switch("block_public_policy", off, "Public access no longer blocked", _BUCKET, GUARDS, when_new=True),
    Switch("ignore_public_acls", off, "Public access no longer blocked", _BUCKET, GUARDS, when_new=True),
    Switch("restrict_public_buckets", off, "Public access no longer blocked", _BUCKET, GUARDS, when_new=True),
)
"""What makes something public, or its traffic less safe."""
