"""The interface endpoints of AWS services, and which of them the calls of an IAM prefix need.

Source: AWS PrivateLink Guide, "AWS services that integrate with AWS PrivateLink". Left out are endpoints
that private DNS and HTTPS on port 443 do not lead to, such as those of SMTP, Cassandra and IoT Core, and
those of FIPS.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

GATEWAYS: Final = frozenset({"dynamodb", "s3"})
"""Services whose gateway endpoint every VPC has; their IAM prefix is the same."""

_SAME: Final = """
    access-analyzer account acm acm-pca app-integrations application-autoscaling application-signals
    applicationinsights apprunner apptest athena auditmanager autoscaling autoscaling-plans b2bi backup
    backup-gateway batch bcm-pricing-calculator billing billingconductor braket cases ce cleanrooms
    cleanrooms-ml clouddirectory cloudtrail codebuild codeguru-profiler codeguru-reviewer codepipeline
    codewhisperer cognito-identity cognito-idp comprehend comprehendmedical compute-optimizer config
    connect-campaigns controlcatalog cost-optimization-hub databrew dataexchange datasync datazone
    devops-guru discovery dms drs ds ds-data dsql ebs ec2 ec2messages eks eks-auth elasticache
    elasticfilesystem elasticloadbalancing elasticmapreduce emr-containers entityresolution events
    execute-api finspace finspace-api fis frauddetector fsx greengrass groundstation healthlake
    identitystore imagebuilder inspector-scan inspector2 internetmonitor invoicing iotfleetwise kafka
    kafkaconnect kendra kms lakeformation lambda launchwizard license-manager
    license-manager-linux-subscriptions license-manager-user-subscriptions logs lookoutequipment
    lookoutmetrics lookoutvision m2 macie2 managedblockchain-query mediaconnect mgn
    migrationhub-orchestrator migrationhub-strategy mq network-firewall networkmonitor observabilityadmin
    organizations outposts panorama pca-connector-ad pca-connector-scep pcs pi polly private-networks
    profile proton q qapps ram rbin rds rds-data redshift redshift-data redshift-serverless
    refactor-spaces repostspace resource-groups rolesanywhere s3-outposts s3tables s3vectors
    sagemaker-geospatial scheduler schemas scn secretsmanager securityhub securitylake serverlessrepo
    shield snow-device-management sns social-messaging sqs ssm ssm-contacts ssm-incidents ssm-quicksetup
    ssmmessages storagegateway sts swf synthetics tax textract timestream-influxdb tnb translate
    trustedadvisor verifiedpermissions voiceid vpc-lattice wafv2 wellarchitected wisdom workmail workspaces
    workspaces-web xray
"""
"""IAM prefixes that are the endpoint's name, too."""

ENDPOINTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {prefix: (prefix,) for prefix in _SAME.split()}
    | {
        "airflow": ("airflow.api", "airflow.env", "airflow.ops"),
        "apigateway": ("apigateway",),
        "aps": ("aps-workspaces", "aps"),
        "appconfig": ("appconfigdata", "appconfig"),
        "appmesh": ("appmesh", "appmesh-envoy-management"),
        "appstream": ("appstream.api",),
        "appsync": ("appsync-api",),
        "arsenal": ("arsenal-discovery",),
        "bedrock": (
            "bedrock-runtime",
            "bedrock",
            "bedrock-agent",
            "bedrock-agent-runtime",
            "bedrock-data-automation",
            "bedrock-data-automation-runtime",
        ),
        "bedrock-agentcore": ("bedrock-agentcore", "bedrock-agentcore.gateway"),
        "cloudformation": ("cloudformation", "cloudcontrolapi"),
        "cloudhsm": ("cloudhsmv2",),
        "cloudwatch": ("monitoring",),
        "codeartifact": ("codeartifact.api", "codeartifact.repositories"),
        "codecommit": ("codecommit", "git-codecommit"),
        "codeconnections": ("codeconnections.api",),
        "codedeploy": ("codedeploy", "codedeploy-commands-secure"),
        "codestar-connections": ("codestar-connections.api",),
        "deadline": ("deadline.management", "deadline.scheduling"),
        "dynamodb": ("dynamodb-streams",),
        "ecr": ("ecr.api", "ecr.dkr"),
        "ecr-public": ("ecr-public.api",),
        "ecs": ("ecs",),
        "elasticbeanstalk": ("elasticbeanstalk", "elasticbeanstalk-health"),
        "emr-serverless": ("emr-serverless", "emr-serverless-services.livy", "emr-serverless.dashboard"),
        "evidently": ("evidently", "evidently-dataplane"),
        "firehose": ("kinesis-firehose",),
        "forecast": ("forecast", "forecastquery"),
        "geo": ("geo.places", "geo.maps", "geo.routes", "geo.geofencing", "geo.tracking", "geo.metadata"),
        "glue": ("glue", "glue.dashboard"),
        "grafana": ("grafana", "grafana-workspace"),
        "guardduty": ("guardduty", "guardduty-data"),
        "iotsitewise": ("iotsitewise.data", "iotsitewise.api"),
        "iottwinmaker": ("iottwinmaker.data", "iottwinmaker.api"),
        "iotwireless": ("iotwireless.api",),
        "kinesis": ("kinesis-streams",),
        "lex": ("runtime-v2-lex", "models-v2-lex"),
        "medical-imaging": ("runtime-medical-imaging", "medical-imaging", "dicom-medical-imaging"),
        "memorydb": ("memory-db",),
        "mobiletargeting": ("pinpoint",),
        "neptune-graph": ("neptune-graph-data", "neptune-graph"),
        "networkflowmonitor": ("networkflowmonitor", "networkflowmonitorreports"),
        "omics": (
            "storage-omics",
            "workflows-omics",
            "analytics-omics",
            "control-storage-omics",
            "tags-omics",
        ),
        "payment-cryptography": ("payment-cryptography.dataplane", "payment-cryptography.controlplane"),
        "personalize": ("personalize-runtime", "personalize-events", "personalize"),
        "pipes": ("pipes", "pipes-data"),
        "pricing": ("pricing.api",),
        "qldb": ("qldb.session",),
        "quicksight": ("quicksight-website",),
        "rekognition": ("rekognition", "streaming-rekognition"),
        "rum": ("rum-dataplane", "rum"),
        "sagemaker": (
            "sagemaker.runtime",
            "sagemaker.api",
            "sagemaker.featurestore-runtime",
            "sagemaker.metrics",
        ),
        "servicecatalog": ("servicecatalog", "servicecatalog-appregistry"),
        "servicediscovery": ("data-servicediscovery", "servicediscovery"),
        "ses": ("email", "mail-manager"),
        "sms-voice": ("pinpoint-sms-voice-v2",),
        "states": ("states", "sync-states"),
        "tag": ("tagging",),
        "thinclient": ("thinclient.api",),
        "transcribe": ("transcribe", "transcribestreaming"),
        "transfer": ("transfer", "transfer.server"),
        "user-subscriptions": ("service.user-subscriptions",),
    }
)
"""Interface endpoints by IAM prefix, without `com.amazonaws.<region>.`.

Which one of several an action goes to is not known here; the first is the one that apps usually call.
"""

OF_AGENTS: Final = frozenset({"ecs-agent", "ecs-telemetry"})
"""Interface endpoints of container agents, which no call of an app goes to."""

NAMES: Final = frozenset(name for names in ENDPOINTS.values() for name in names) | OF_AGENTS
"""Every interface endpoint that a network may have."""
