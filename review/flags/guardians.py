"""Resource types that only protect: deleting one turns something off."""

from typing import Final

_UNENCRYPTED = "Encryption off"
_BACKUP = "Backups off"
_LOG = "Logging off"
_ALARM = "Alarms off"
_OWN_KEY = "It is no longer encrypted with the key that was chosen for it."
_CHANGES = "What is called through the API is no longer written down, or not all of it."

GUARDIANS: Final = {
    "aws_accessanalyzer_analyzer": ("Detection off", "Access from outside is no longer looked for."),
    "aws_backup_plan": (_BACKUP, "The plan of backups is deleted."),
    "aws_backup_selection": (_BACKUP, "What it names is no longer backed up by the plan."),
    "aws_backup_vault_lock_configuration": (_BACKUP, "Backups can be deleted before their time."),
    "aws_cloudtrail": (_LOG, _CHANGES),
    "aws_cloudwatch_composite_alarm": (_ALARM, "The alarm is deleted."),
    "aws_cloudwatch_log_metric_filter": (_ALARM, "What the logs say is no longer counted."),
    "aws_cloudwatch_metric_alarm": (_ALARM, "The alarm is deleted."),
    "aws_config_configuration_recorder": (_LOG, "Changes of the configuration are no longer recorded."),
    "aws_dynamodb_contributor_insights": (_LOG, "The table's most used keys are no longer written down."),
    "aws_ebs_encryption_by_default": (_UNENCRYPTED, "New volumes are no longer encrypted of themselves."),
    "aws_efs_backup_policy": (_BACKUP, "There are no automatic backups any longer."),
    "aws_flow_log": (_LOG, "The traffic of the network is no longer written down."),
    "aws_guardduty_detector": ("Detection off", "Attacks are no longer looked for."),
    "aws_iam_account_password_policy": ("Password rules off", "AWS's own rules hold for passwords again."),
    "aws_inspector2_enabler": ("Detection off", "Known holes are no longer looked for."),
    "aws_macie2_account": ("Detection off", "Personal data is no longer looked for."),
    "aws_networkfirewall_firewall": ("Firewall off", "The traffic no longer goes through the firewall."),
    "aws_organizations_policy": ("Organisation's policy off", "The organisation's policy is deleted."),
    "aws_organizations_policy_attachment": (
        "Organisation's policy off",
        "The policy no longer holds for the accounts it was attached to.",
    ),
    "aws_route53_query_log": (_LOG, "Queries of names are no longer written down."),
    "aws_s3_bucket_logging": (_LOG, "Requests are no longer written down."),
    "aws_s3_bucket_object_lock_configuration": (
        "Object lock off",
        "Objects can be deleted before their time.",
    ),
    "aws_s3_bucket_server_side_encryption_configuration": (_UNENCRYPTED, _OWN_KEY),
    "aws_s3_bucket_versioning": (
        "Versioning off",
        "What is overwritten or deleted can no longer be brought back.",
    ),
    "aws_secretsmanager_secret_rotation": ("Rotation off", "The secret is no longer renewed of itself."),
    "aws_securityhub_account": ("Detection off", "The account is no longer checked for weak settings."),
    "aws_shield_protection": ("Firewall off", "It is no longer protected from floods of requests."),
    "aws_sns_topic_subscription": (_ALARM, "Who was told by the topic is told no longer."),
    "aws_vpc_block_public_access_options": ("Internet access no longer blocked", "VPCs can be public again."),
    "aws_wafv2_web_acl": ("Firewall off", "The web application firewall's rules are deleted."),
    "aws_wafv2_web_acl_association": (
        "Firewall off",
        "Requests no longer go through the web application firewall.",
    ),
    "aws_wafv2_web_acl_logging_configuration": (_LOG, "What the firewall did is no longer written down."),
}
"""Type to title and reason of the flag."""
