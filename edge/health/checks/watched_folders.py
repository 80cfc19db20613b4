"""Can every watched folder be read, and does it hold what it held?"""

from __future__ import annotations

import os

from edge.health.context import FolderState, HealthContext
from edge.health.issue import Issue, IssueCode, Severity

TITLE = "Watched folders are reachable"
CODES = frozenset({IssueCode.FOLDER_MISSING, IssueCode.FOLDER_UNREADABLE, IssueCode.FOLDER_EMPTIED})

_MOUNT = "Plug the medium in or mount the share again; files that are there again are taken by themselves. Nothing is lost."


def run_check(context: HealthContext) -> list[Issue]:
    """A folder that is gone, cannot be read, or is empty though files were known in it (its mount is gone)."""
    return [issue for folder in context.folders for issue in _look_at(folder)]


def _look_at(folder: FolderState) -> list[Issue]:
    path = str(folder.path)
    try:
        with os.scandir(folder.path) as entries:
            is_empty = next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return [_issue(IssueCode.FOLDER_MISSING, path, f"The watched folder {path} is not there.", _MOUNT)]
    except OSError as error:
        return [_unreadable(path, f"The watched folder {path} cannot be read: {error.strerror or error}.")]
    if is_empty and folder.known_files:
        return [_issue(IssueCode.FOLDER_EMPTIED, path, f"The watched folder {path} is empty, but files were known in it.", _MOUNT)]
    if folder.troubles:
        more = f" (and {len(folder.troubles) - 3} more)" if len(folder.troubles) > 3 else ""
        return [_unreadable(path, f"In the watched folder {path}: {'; '.join(folder.troubles[:3])}{more}.")]
    return []


def _unreadable(path: str, message: str) -> Issue:
    advice = "Check the permissions of the folder and its medium. Until then its files are neither taken nor held to be gone."
    return _issue(IssueCode.FOLDER_UNREADABLE, path, message, advice)


def _issue(code: IssueCode, path: str, message: str, advice: str) -> Issue:
    return Issue(code=code, severity=Severity.ERROR, reference=path, message=message, advice=advice)
