"""What GitHub says no with, in words for people."""


class GitHubError(Exception):
    """GitHub did not do what was asked; `status` is its answer's, or None when there was none."""

    def __init__(self, message: str, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class BodyTooLongError(GitHubError):
    """The text of a comment or an issue is longer than GitHub takes."""


class UnconfirmedError(GitHubError):
    """Nobody knows whether GitHub did it: the connection was lost, or the answer was a 5xx."""


def refusal(purpose: str, permission: str, status: int, said: str) -> GitHubError:
    """The error for an answer that is neither success nor worth another attempt.

    `purpose` completes "GitHub refuses to ...", `permission` is what that takes, `said` is GitHub's
    own message. Source: GitHub's documentation, "Troubleshooting the REST API".
    """
    error = BodyTooLongError if _is_too_long(status, said) else GitHubError
    match status:
        case 401:
            words = "GitHub does not accept GITHUB_TOKEN: it has expired, or is of another GitHub"
        case 403:
            words = (
                f"GitHub refuses to {purpose}: GITHUB_TOKEN needs the permission `{permission}`, which a "
                "workflow does not get when a fork's pull request has started it"
            )
        case 404:
            words = (
                f"GitHub finds nothing to {purpose}: the repository, the pull request or the issue does not "
                "exist, or GITHUB_TOKEN may not see it"
            )
        case 410:
            words = f"GitHub cannot {purpose}: it was deleted, or issues are turned off in the repository"
        case 301 | 302 | 307 | 308:
            words = f"GitHub cannot {purpose}: the repository was renamed or moved, so give its new name"
        case 413 | 422 if error is BodyTooLongError:
            words = f"GitHub refuses to {purpose}: the text is too long"
        case 422:
            words = f"GitHub refuses to {purpose}: it does not take what was sent"
        case _:
            words = f"GitHub refuses to {purpose}: status {status}"
    return error(words + (f'. GitHub says: "{said}"' if said else ""), status)


def _is_too_long(status: int, said: str) -> bool:
    return status == 413 or (status == 422 and "too long" in said.casefold())
