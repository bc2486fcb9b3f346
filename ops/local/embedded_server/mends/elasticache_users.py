"""Users of caches and their groups; moto has no groups, and forgets changes of users.

Sources: Amazon ElastiCache API Reference, "CreateUser", "ModifyUser", "DeleteUser", "CreateUserGroup",
"ModifyUserGroup" and "DeleteUserGroup"; Amazon ElastiCache User Guide, "Role-Based Access Control (RBAC)".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from moto.core.responses import ActionResult, PaginatedResult
from moto.elasticache.exceptions import (
    ElastiCacheException,
    InvalidParameterCombinationException,
    PasswordTooShort,
    UserNotFound,
)
from moto.elasticache.models import ElastiCacheBackend, User
from moto.elasticache.responses import ElastiCacheResponse

from ops.local.embedded_server.patching import kept, patch

_DEFAULT: Final = "default"
_PASSWORD_LENGTHS: Final = (16, 128)
_MOST_PASSWORDS: Final = 2
_MOST_USERS: Final = 100

_create = ElastiCacheBackend.create_user


@dataclass
class UserGroup:
    """A user group; `user_ids` are those of its users, in the order in which they came."""

    arn: str
    name: str
    engine: str
    user_ids: list[str]

    def described(self, backend: ElastiCacheBackend) -> dict[str, Any]:
        """Returns what DescribeUserGroups answers of the group."""
        return {
            "UserGroupId": self.name,
            "ARN": self.arn,
            "Engine": self.engine,
            "Status": "active",
            "UserIds": self.user_ids,
            "MinimumEngineVersion": "6.0" if self.engine == "redis" else "7.2",
            "ReplicationGroups": [
                each.replication_group_id
                for each in backend.replication_groups.values()
                if self.name in each.user_group_ids
            ],
        }


def mend() -> None:
    """Mends moto's users, and adds their groups."""
    patch(ElastiCacheBackend, create_user)
    patch(
        ElastiCacheResponse,
        modify_user,
        delete_user,
        create_user_group,
        describe_user_groups,
        modify_user_group,
        delete_user_group,
    )


def user_group(backend: ElastiCacheBackend, name: str) -> UserGroup:
    """Returns a user group by its name."""
    if name not in _user_groups(backend):
        raise ElastiCacheException("UserGroupNotFound", f"User group {name} not found.")
    return _user_groups(backend)[name]


def create_user(backend: ElastiCacheBackend, **wanted: Any) -> User:
    """Creates a user with passwords that ElastiCache takes."""
    _check_passwords(wanted["passwords"])
    user = _create(backend, **wanted)
    user.minimum_engine_version = "6.0" if user.engine == "redis" else "7.2"
    return user


def modify_user(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ModifyUser."""
    backend, given = response.elasticache_backend, response._get_params()
    user = _user(backend, given["UserId"])
    mode: Mapping[str, Any] = given.get("AuthenticationMode", {})
    passwords = given.get("Passwords") or mode.get("Passwords")
    if passwords is not None:
        _check_passwords(passwords)
        user.passwords, user.authentication_type, user.no_password_required = passwords, "password", False
    if given.get("NoPasswordRequired") or mode.get("Type") == "no-password-required":
        user.passwords, user.no_password_required = [], True
    elif mode.get("Type") == "iam":
        user.passwords, user.authentication_type, user.no_password_required = [], "iam", False
    user.engine = given.get("Engine", user.engine)
    if "AccessString" in given:
        user.access_string = given["AccessString"]
    if "AppendAccessString" in given:
        user.access_string += f" {given['AppendAccessString']}"
    return ActionResult(user)


def delete_user(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DeleteUser, which takes the user out of its groups."""
    backend = response.elasticache_backend
    user = _user(backend, response._get_param("UserId"))
    groups = [each for each in _user_groups(backend).values() if user.id in each.user_ids]
    if any(each.engine == "redis" for each in groups) and user.name == _DEFAULT:
        raise ElastiCacheException(
            "DefaultUserAssociatedToUserGroup", "The default user is associated with a user group."
        )
    for group in groups:
        group.user_ids.remove(user.id)
    del backend.users[user.id]
    user.status = "deleting"
    return ActionResult(user)


def create_user_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's CreateUserGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    name, engine, users = given["UserGroupId"], str(given["Engine"]).lower(), given.get("UserIds", [])
    if name in _user_groups(backend):
        raise ElastiCacheException("UserGroupAlreadyExists", f"User group {name} already exists.")
    _check_users(backend, engine, users)
    arn = f"arn:aws:elasticache:{backend.region_name}:{backend.account_id}:usergroup:{name}"
    group = UserGroup(arn, name, engine, list(users))
    backend.tagging_service.tag_resource(arn, given.get("Tags", []))
    _user_groups(backend)[name] = group
    _tell_users(backend)
    return ActionResult(group.described(backend))


def describe_user_groups(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DescribeUserGroups."""
    backend, name = response.elasticache_backend, response._get_param("UserGroupId")
    groups = [user_group(backend, name)] if name else list(_user_groups(backend).values())
    return PaginatedResult({"UserGroups": [each.described(backend) for each in groups]})


def modify_user_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's ModifyUserGroup."""
    backend, given = response.elasticache_backend, response._get_params()
    group = user_group(backend, given["UserGroupId"])
    kept = [each for each in group.user_ids if each not in given.get("UserIdsToRemove", ())]
    users = [*kept, *given.get("UserIdsToAdd", [])]
    engine = str(given.get("Engine", group.engine)).lower()
    _check_users(backend, engine, users)
    group.user_ids, group.engine = users, engine
    _tell_users(backend)
    return ActionResult(group.described(backend))


def delete_user_group(response: ElastiCacheResponse) -> ActionResult:
    """ElastiCache's DeleteUserGroup, for one that no replication group has."""
    backend = response.elasticache_backend
    group = user_group(backend, response._get_param("UserGroupId"))
    described = group.described(backend)
    if described["ReplicationGroups"]:
        raise ElastiCacheException(
            "InvalidUserGroupState",
            f"User group {group.name} is in use by {', '.join(described['ReplicationGroups'])}.",
        )
    del _user_groups(backend)[group.name]
    _tell_users(backend)
    return ActionResult({**described, "Status": "deleting"})


def _tell_users(backend: ElastiCacheBackend) -> None:
    for user in backend.users.values():
        groups = _user_groups(backend).values()
        user.user_group_ids = [each.name for each in groups if user.id in each.user_ids]


def _check_users(backend: ElastiCacheBackend, engine: str, user_ids: Sequence[str]) -> None:
    users = [_user(backend, each) for each in user_ids]
    names = [user.name for user in users]
    if len(names) != len(set(names)):
        raise ElastiCacheException("DuplicateUserName", "Two users of a group have the same name.")
    if engine == "redis" and _DEFAULT not in names:
        raise ElastiCacheException("DefaultUserRequired", "A user group of redis needs a user named default.")
    if len(users) > _MOST_USERS:
        raise ElastiCacheException("UserQuotaExceeded", f"A user group has at most {_MOST_USERS} users.")


def _check_passwords(passwords: Sequence[str]) -> None:
    shortest, longest = _PASSWORD_LENGTHS
    if not all(shortest <= len(each) <= longest for each in passwords):
        raise PasswordTooShort()
    if len(passwords) > _MOST_PASSWORDS:
        raise InvalidParameterCombinationException(f"A user has at most {_MOST_PASSWORDS} passwords.")


def _user(backend: ElastiCacheBackend, user_id: str) -> User:
    if user_id not in backend.users:
        raise UserNotFound(user_id)
    found: User = backend.users[user_id]
    return found


def _user_groups(backend: ElastiCacheBackend) -> dict[str, UserGroup]:
    return kept(backend, "user_groups", {})
