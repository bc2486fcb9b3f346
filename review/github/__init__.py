"""GitHub, as far as the review needs it; the only package that speaks HTTP."""

from review.github.client import Comment, GitHub, Issue, PullRequest
from review.github.errors import BodyTooLongError, GitHubError

__all__ = ["BodyTooLongError", "Comment", "GitHub", "GitHubError", "Issue", "PullRequest"]
