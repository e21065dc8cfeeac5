"""Opens a pull request for a submission on the Hugging Face Hub."""

from __future__ import annotations

import os
from typing import Any

from newt_bench.errors import DownloadError
from newt_bench.extras import import_optional
from newt_bench.leaderboard.board import SUBMISSIONS
from newt_bench.leaderboard.submission import Submission
from newt_bench.leaderboard.tracks import hub_repository

__all__ = ["open_pull_request"]


def open_pull_request(submission: Submission) -> str:
    """Uploads a submission's file as a pull request on the leaderboard's Hub repository.

    `HF_ENDPOINT` and `HF_TOKEN` work as usual; `newt_bench.leaderboard.tracks.REPOSITORY_VARIABLE` names another
    repository.

    Args:
        submission: The submission, already checked.

    Returns:
        The address of the pull request.

    Raises:
        MissingExtraError: huggingface_hub is not installed.
        DownloadError: The Hub refuses.
    """
    hub: Any = import_optional(
        "huggingface_hub", extra="demos", packages=("huggingface_hub",), wanted_by="Opening a pull request on the Hub"
    )
    repository = hub_repository()
    path = f"{SUBMISSIONS}/{submission.id}.json"
    operation = hub.CommitOperationAdd(path_in_repo=path, path_or_fileobj=submission.to_text().encode())
    api = hub.HfApi(endpoint=os.environ.get("HF_ENDPOINT") or None)
    try:
        commit = api.create_commit(
            repository,
            [operation],
            repo_type="dataset",
            commit_message=f"Submission {submission.id}",
            create_pr=True,
        )
    except Exception as error:  # errors of whatever HTTP library the client's version uses
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise DownloadError(
            f"{repository} does not take the pull request ({reason}); log in with: "
            "hf auth login, or write the file with --out and open a pull request on GitHub"
        ) from error
    return str(commit.pr_url)
