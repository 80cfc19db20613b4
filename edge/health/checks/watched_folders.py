"""Can every watched folder be read, does it hold what it held, and what waits for those that cannot?"""

from __future__ import annotations

import os

from edge.health.context import FolderState, HealthContext
from edge.health.issue import Issue, IssueCode, Severity
from edge.store.away import AwayRoot, away_roots

TITLE = "Watched folders are reachable"
CODES = frozenset({IssueCode.FOLDER_MISSING, IssueCode.FOLDER_UNREADABLE, IssueCode.FOLDER_EMPTIED})

_MOUNT = "Plug the medium in or mount the share again; files that are there again are taken by themselves. Nothing is lost."
_LEFT = (
    "Plug the medium in or mount the share again, and start the appliance anew or name the folder in `[[watched]]`. To give its files up, "
    "make an empty folder of this name and start the appliance anew: they are then listed as failures."
)


def run_check(context: HealthContext) -> list[Issue]:
    """A folder that is gone, cannot be read, or is empty though files were known in it (its mount is gone)."""
    waiting = {root.path: root for root in away_roots(context.connection)}
    watched = {str(folder.path) for folder in context.folders}
    issues = [issue for folder in context.folders for issue in _look_at(folder, waiting.get(str(folder.path)))]
    return [*issues, *(_left(root) for path, root in waiting.items() if path not in watched and root.files)]


def _look_at(folder: FolderState, waiting: AwayRoot | None) -> list[Issue]:
    path, more = str(folder.path), _waiting(waiting)
    try:
        with os.scandir(folder.path) as entries:
            is_empty = next(entries, None) is None
    except (FileNotFoundError, NotADirectoryError):
        return [_issue(IssueCode.FOLDER_MISSING, path, f"The watched folder {path} is not there{more}.", _MOUNT)]
    except OSError as error:
        return [_unreadable(path, f"The watched folder {path} cannot be read: {error.strerror or error}{more}.")]
    if is_empty and (folder.known_files or folder.troubles):
        return [_issue(IssueCode.FOLDER_EMPTIED, path, f"The watched folder {path} is empty, but files were known in it{more}.", _MOUNT)]
    if folder.troubles:
        others = f" (and {len(folder.troubles) - 3} more)" if len(folder.troubles) > 3 else ""
        return [_unreadable(path, f"In the watched folder {path}: {'; '.join(folder.troubles[:3])}{others}{more}.")]
    return []


def _left(root: AwayRoot) -> Issue:
    """Files still wait for a folder that is not watched any longer, or that only a single pass was made over."""
    return _issue(IssueCode.FOLDER_MISSING, root.path, f"The folder {root.path} could not be looked at{_waiting(root)}.", _LEFT)


def _waiting(root: AwayRoot | None) -> str:
    if root is None or not root.files:
        return ""
    return "; 1 queued file waits for it" if root.files == 1 else f"; {root.files} queued files wait for it"


def _unreadable(path: str, message: str) -> Issue:
    advice = "Check the permissions of the folder and its medium. Until then its files are neither taken nor held to be gone."
    return _issue(IssueCode.FOLDER_UNREADABLE, path, message, advice)


def _issue(code: IssueCode, path: str, message: str, advice: str) -> Issue:
    return Issue(code=code, severity=Severity.ERROR, reference=path, message=message, advice=advice)
