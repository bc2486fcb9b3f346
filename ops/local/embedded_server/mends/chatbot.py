"""Chat channels of Amazon Q Developer in chat applications, a service that moto does not have.

A channel is kept as it was written, and every workspace and team counts as authorized. Source: AWS Chatbot
API Reference, "CreateSlackChannelConfiguration", "CreateMicrosoftTeamsChannelConfiguration", the actions that
read, change and delete what they create, "ListTagsForResource", "TagResource" and "UntagResource".
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ops.local.embedded_server.authorization.requests import CREDENTIAL
from ops.local.embedded_server.authorization.services import trusts

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

_PATH: Final = re.compile(r"/(create|update|delete|describe|list)-(slack|ms-teams)-channel-configurations?")
_KINDS: Final = {"slack": "slack-channel", "ms-teams": "microsoft-teams-channel"}

_LISTS: Final = {
    "slack": ("SlackChannelConfigurations", "SlackTeamId"),
    "ms-teams": ("TeamChannelConfigurations", "TeamId"),
}
"""What a list of channels is called, and the key of its kind of channels."""

Channel = dict[str, Any]


@dataclass(frozen=True, slots=True)
class RefusedError(Exception):
    """What AWS answers with an error: its type and its text."""

    kind: str
    text: str


def with_chat_channels(application: "WSGIApplication") -> "WSGIApplication":
    """Answers requests to the service, and leaves all others to the application."""
    channels: dict[str, Channel] = {}

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        signed = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        if not signed or signed[3] != "chatbot":
            return application(environ, start_response)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        headers = {"Content-Type": "application/json"}
        try:
            status, content = "200 OK", _answer(channels, environ["PATH_INFO"], json.loads(body or b"{}"))
        except RefusedError as refused:
            status, content = "400 Bad Request", {"message": refused.text}
            headers["x-amzn-errortype"] = refused.kind
        text = json.dumps(content).encode()
        start_response(status, [*headers.items(), ("Content-Length", str(len(text)))])
        return [text]

    return answer


def _answer(channels: dict[str, Channel], path: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
    if match := _PATH.fullmatch(path):
        verb, chat = match.groups()
        if verb == "create":
            return {"ChannelConfiguration": _create(channels, _KINDS[chat], asked)}
        arn = asked.get("ChatConfigurationArn")
        if verb in ("describe", "list"):
            listed, team = _LISTS[chat]
            found = [each for each in channels.values() if team in each]
            wanted = {"ChatConfigurationArn": arn, "TeamId": asked.get("TeamId")}
            return {listed: [each for each in found if _fits(each, wanted)]}
        if arn not in channels:
            raise RefusedError("ResourceNotFoundException", f"No chat configuration has the ARN {arn}.")
        if verb == "delete":
            del channels[arn]
            return {}
        if verb == "update":
            _check_role(asked.get("IamRoleArn", channels[arn]["IamRoleArn"]))
            channels[arn] |= asked
        return {"ChannelConfiguration": channels[arn]}
    tags = _tags(channels, asked)
    if path == "/tag-resource":
        tags |= {each["TagKey"]: each["TagValue"] for each in asked["Tags"]}
    elif path == "/untag-resource":
        for key in asked["TagKeys"]:
            tags.pop(key, None)
    channels[asked["ResourceARN"]]["Tags"] = _listed(tags)
    return {"Tags": _listed(tags)} if path == "/list-tags-for-resource" else {}


def _create(channels: dict[str, Channel], kind: str, asked: Mapping[str, Any]) -> Channel:
    role, name = asked["IamRoleArn"], asked["ConfigurationName"]
    _check_role(role)
    arn = f"arn:aws:chatbot::{role.split(':')[4]}:chat-configuration/{kind}/{name}"
    if arn in channels:
        raise RefusedError("ConflictException", f"The chat configuration {name} exists already.")
    named = {"SlackTeamName": "", "SlackChannelName": ""} if "SlackTeamId" in asked else {}
    channels[arn] = {
        "GuardrailPolicyArns": ["arn:aws:iam::aws:policy/AdministratorAccess"],
        "LoggingLevel": "NONE",
        "SnsTopicArns": [],
        "Tags": [],
        "UserAuthorizationRequired": False,
        **named,
        **asked,
        "ChatConfigurationArn": arn,
        "State": "ENABLED",
    }
    return channels[arn]


def _fits(channel: Channel, wanted: Mapping[str, str | None]) -> bool:
    return all(channel.get(key) == value for key, value in wanted.items() if value)


def _check_role(arn: str) -> None:
    if not trusts(arn, "chatbot.amazonaws.com"):
        text = f"AWS Chatbot is not authorized to assume the role {arn}."
        raise RefusedError("InvalidRequestException", text)


def _tags(channels: Mapping[str, Channel], asked: Mapping[str, Any]) -> dict[str, str]:
    arn = asked.get("ResourceARN", "")
    if arn not in channels:
        raise RefusedError("ResourceNotFoundException", f"No chat configuration has the ARN {arn}.")
    return {each["TagKey"]: each["TagValue"] for each in channels[arn]["Tags"]}


def _listed(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]
