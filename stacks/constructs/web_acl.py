"""AWS WAF before a load balancer (ELB.16)."""

from stacks.bindings import TerraformResource, Token
from stacks.constructs.load_balancer import LoadBalancer
from stacks.constructs.platform_stack import PlatformStack
from stacks.policies import Statement
from stacks.settings import Project, Waf


class WebAcl:
    """A web ACL of AWS's rule groups and a limit of requests for each address.

    The bindings of its rules, which nest without end, take longer to load than all others together; so
    they are written as Terraform's documentation has them: "Resource: aws_wafv2_web_acl".
    """

    def __init__(self, scope: PlatformStack, balancer: LoadBalancer, waf: Waf) -> None:
        groups = [_managed(name, priority, waf) for priority, name in enumerate(waf.managed_rules, start=10)]
        acl = TerraformResource(
            scope, f"{balancer.prefix}web_acl", terraform_resource_type="aws_wafv2_web_acl"
        )
        for key, value in {
            "name": balancer.name,
            "description": f"Before the load balancer {balancer.name}",
            "scope": "REGIONAL",
            "default_action": {"allow": {}},
            "rule": [*([_rate(waf)] if waf.rate_limit else []), *groups],
            "visibility_config": _visibility(balancer.name),
        }.items():
            acl.add_override(key, value)
        association = TerraformResource(
            scope,
            f"{balancer.prefix}web_acl_association",
            terraform_resource_type="aws_wafv2_web_acl_association",
        )
        association.add_override("resource_arn", balancer.arn)
        association.add_override("web_acl_arn", Token.as_string(acl.interpolation_for_attribute("arn")))


def _managed(name: str, priority: int, waf: Waf) -> dict[str, object]:
    return {
        "name": name,
        "priority": priority,
        "override_action": {"count" if waf.count_only else "none": {}},
        "statement": {"managed_rule_group_statement": {"name": name, "vendor_name": "AWS"}},
        "visibility_config": _visibility(name),
    }


def _rate(waf: Waf) -> dict[str, object]:
    return {
        "name": "rate-limit",
        "priority": 1,
        "action": {"count" if waf.count_only else "block": {}},
        "statement": {"rate_based_statement": {"aggregate_key_type": "IP", "limit": waf.rate_limit}},
        "visibility_config": _visibility("rate-limit"),
    }


def _visibility(metric: str) -> dict[str, object]:
    return {"cloudwatch_metrics_enabled": True, "metric_name": metric, "sampled_requests_enabled": True}


def deploy(project: Project, account_id: str) -> tuple[Statement, ...]:
    """Returns what the deploy role needs for web ACLs, and to set them before load balancers."""
    name = project.name
    return (
        Statement(
            "ChangeWebAcls",
            actions=[
                "wafv2:AssociateWebACL",
                "wafv2:CreateWebACL",
                "wafv2:DeleteWebACL",
                "wafv2:DisassociateWebACL",
                "wafv2:TagResource",
                "wafv2:UntagResource",
                "wafv2:UpdateWebACL",
            ],
            resources=[
                f"arn:aws:wafv2:*:{account_id}:regional/webacl/{name}-*",
                f"arn:aws:elasticloadbalancing:*:{account_id}:loadbalancer/app/{name}-*",
            ],
        ),
        Statement(
            "UseManagedRules",
            actions=["wafv2:CreateWebACL", "wafv2:UpdateWebACL"],
            resources=[f"arn:aws:wafv2:*:{account_id}:regional/managedruleset/*/*"],
        ),
        # Asked for besides, and known without a resource. Source: AWS Service Authorization Reference.
        Statement("WithoutResource", actions=["elasticloadbalancing:SetWebAcl"], resources=["*"]),
        Statement(
            "SetWebAcls",
            actions=[
                "elasticloadbalancing:CreateWebACLAssociation",
                "elasticloadbalancing:DeleteWebACLAssociation",
            ],
            resources=[f"arn:aws:elasticloadbalancing:*:{account_id}:loadbalancer/app/{name}-*"],
        ),
    )
