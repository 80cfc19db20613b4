"""An issue: something that needs a person, with what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How bad it is: a notice informs, a warning will become worse, an error stops work or endangers results."""

    NOTICE = "notice"
    WARNING = "warning"
    ERROR = "error"


class IssueCode(StrEnum):
    """The kinds of issues. Pages, exports and documentation hang on these names: they never change."""

    BACKUP_MISSING = "backup_missing"
    BACKUP_TOO_OLD = "backup_too_old"
    BRIDGE_CALLERS_REFUSED = "bridge_callers_refused"
    BRIDGE_CALLS_FAILED = "bridge_calls_failed"
    BRIDGE_NOT_SERVING = "bridge_not_serving"
    BRIDGE_PACK_LEFT_OUT = "bridge_pack_left_out"
    CHECK_FAILED = "check_failed"
    CLOCK_BEHIND = "clock_behind"
    DATABASE_DAMAGED = "database_damaged"
    DATABASE_UNCHECKED = "database_unchecked"
    DATABASE_ON_NETWORK = "database_on_network"
    DISK_FULL = "disk_full"
    DISK_LOW = "disk_low"
    FAILURES_WAITING = "failures_waiting"
    FILES_IGNORED = "files_ignored"
    FOLDER_EMPTIED = "folder_emptied"
    FOLDER_MISSING = "folder_missing"
    FOLDER_UNREADABLE = "folder_unreadable"
    MODEL_FAILED = "model_failed"
    MODEL_UNUSABLE = "model_unusable"
    REPROCESS_FAILED = "reprocess_failed"
    SCANS_FAILED = "scans_failed"
    SCAN_PROJECT_UNREADABLE = "scan_project_unreadable"
    SQLITE_UNSAFE = "sqlite_unsafe"
    SYNC_BACKLOG_OLD = "sync_backlog_old"
    SYNC_FULL = "sync_full"
    SYNC_NO_CONTACT = "sync_no_contact"
    SYNC_REFUSED = "sync_refused"
    TRANSFERS_ASK = "transfers_ask"
    TRANSFERS_FAILED = "transfers_failed"
    TRANSFERS_WAIT = "transfers_wait"
    VARIANT_REFUSED = "variant_refused"
    WORKER_RESTARTS = "worker_restarts"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issue:
    """What holds now. `code` and `reference` together are its identity; `reference` is empty where there is only one."""

    code: IssueCode
    severity: Severity
    message: str
    advice: str
    reference: str = ""
