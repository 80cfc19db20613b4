"""Errors of the appliance, one tree, with families by whose fault it is.

    EdgeError                    exit code 1
    ├── SettingsError            2   the settings file or an option is wrong
    ├── StoreError               3   the database or its disk
    ├── InputError               4   a file that was given to us
    ├── ModelError               5   a model pack, a runtime or what a model returned
    ├── TransportError           6   a link or a remote side
    ├── BusyError                7   another process already works on this home folder
    └── AccessError              8   who asked may not do it, or did not prove who they are

Each error has a stable `code` that pages, exports and documentation hang on, a message that says
what happened, and `advice()` that says what the operator should do next.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar


class Reason(StrEnum):
    """Why a file could not be turned into a result."""

    EMPTY_FILE = "empty_file"
    STILL_GROWING = "still_growing"
    UNREADABLE_FILE = "unreadable_file"
    VANISHED = "vanished"
    NOT_A_REGULAR_FILE = "not_a_regular_file"
    CHANGED_WHILE_READ = "changed_while_read"
    UNKNOWN_FORMAT = "unknown_format"
    EXTENSION_MISMATCH = "extension_mismatch"
    TRUNCATED = "truncated"
    CORRUPT = "corrupt"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_MANY_BYTES = "too_many_bytes"
    UNSUPPORTED_PIXELS = "unsupported_pixels"
    SEVERAL_IMAGES = "several_images"
    UNFINISHED = "unfinished"
    NO_VIDEO_STREAM = "no_video_stream"
    UNSUPPORTED_CODEC = "unsupported_codec"
    NO_FRAMES = "no_frames"
    NO_TIMES = "no_times"
    BAD_SETTINGS = "bad_settings"
    WRONG_RESOLUTION = "wrong_resolution"
    NO_BACKGROUND = "no_background"
    BACKGROUND_MISMATCH = "background_mismatch"
    NO_FRAME = "no_frame"
    FRAME_CLOSED = "frame_closed"
    COPY_FAILED = "copy_failed"
    OUT_OF_MEMORY = "out_of_memory"
    TIMED_OUT = "timed_out"
    WORKER_DIED = "worker_died"
    MODEL_FAILED = "model_failed"


REASON_ADVICE: dict[Reason, str] = {
    Reason.EMPTY_FILE: "The file has no bytes. Copy it again from the camera, then press Retry.",
    Reason.STILL_GROWING: "The file kept changing. When the copy has ended it is taken by itself; otherwise press Retry.",
    Reason.UNREADABLE_FILE: "The appliance may not read this file. Check its permissions and the disk, then press Retry.",
    Reason.VANISHED: "The file was gone before it was processed. Put it back; it is taken by itself.",
    Reason.NOT_A_REGULAR_FILE: "This is a link, a pipe or a device. Put the image itself into the folder.",
    Reason.CHANGED_WHILE_READ: "The file was overwritten while it was read. It is looked at again by itself.",
    Reason.UNKNOWN_FORMAT: "The content is neither an image nor a clip that is read. Open it in a viewer to see what it is.",
    Reason.EXTENSION_MISMATCH: "Name and content disagree on the format. Give the file the right extension.",
    Reason.TRUNCATED: "The end of the file is missing. Copy it again from the camera, then press Retry.",
    Reason.CORRUPT: "The file is damaged. Copy it again from the camera, then press Retry.",
    Reason.TOO_MANY_PIXELS: "The image is larger than `max_pixels` allows. Raise the setting if it is genuine.",
    Reason.TOO_MANY_BYTES: "The file is larger than `max_file_bytes` allows. Raise the setting if it is genuine.",
    Reason.UNSUPPORTED_PIXELS: "The detail says what is in the file. Save the image as PNG or as TIFF, grey or RGB, 8 or 16 bits.",
    Reason.SEVERAL_IMAGES: "One file is one still. Save each image of the file on its own (ImageJ: Save As, Image Sequence).",
    Reason.UNFINISHED: "The recorder did not finish the clip: its table of contents is missing. Put the card back into the camera, which "
    "may repair it, or rebuild the clip with a tool such as untrunc and a sound clip of the same camera.",
    Reason.NO_VIDEO_STREAM: "The file has sound or data but no moving picture. Look for the clip that belongs to it.",
    Reason.UNSUPPORTED_CODEC: "The detail names the codec. Read are H.264, HEVC, MPEG-1, MPEG-2, MPEG-4, MJPEG, ProRes, DV and FFV1.",
    Reason.NO_FRAMES: "The clip holds no picture that can be shown. Copy it again from the camera, then press Retry.",
    Reason.NO_TIMES: "The clip does not say when its frames were taken: nothing can be placed along the tow. Ask for the original.",
    Reason.BAD_SETTINGS: "Correct the value that the detail names in the project's Zooscan_config folder, then press Retry.",
    Reason.WRONG_RESOLUTION: "Scan at the resolution that the project names (`resolution` in process_install_both_config.txt), or "
    "correct it there: a scan is not reduced to another one.",
    Reason.NO_BACKGROUND: "Put both pictures of the empty glass, of before the scan, into Zooscan_back; then press Retry.",
    Reason.BACKGROUND_MISMATCH: "Scan the empty glass with the same frame and scanner as the sample, twice, and process the scan again.",
    Reason.NO_FRAME: "Was the frame on the glass, and the lid closed? Scan again with the frame in its place.",
    Reason.FRAME_CLOSED: "A dark band runs along the whole frame, so that everything lies inside one outline. Look at the edges of the "
    "scan for water or a shifted frame, put the frame in its place and scan again.",
    Reason.COPY_FAILED: "The copy did not equal the original. Check the medium, then press Retry.",
    Reason.OUT_OF_MEMORY: "Processing needed more memory than `worker_memory_mb`. Raise it or shrink the image.",
    Reason.TIMED_OUT: "Processing took longer than `worker_timeout_s`. Press Retry when the machine is idle.",
    Reason.WORKER_DIED: "The process that read this file died three times. Keep the file for the developers.",
    Reason.MODEL_FAILED: "The model returned no usable answer. Roll the model back on the Models page, then press Retry.",
}


class EdgeError(Exception):
    """Root of all errors that the appliance raises on purpose."""

    code: ClassVar[str] = "edge_error"
    exit_code: ClassVar[int] = 1
    default_advice: ClassVar[str] = "Look at the log in the home folder and report the last lines."

    def __init__(self, message: str, *, advice: str | None = None) -> None:
        super().__init__(message)
        self._advice = advice

    def advice(self) -> str:
        """What the operator should do next, one or two sentences."""
        return self._advice or self.default_advice


class SettingsError(EdgeError):
    """A setting or an option that cannot be used."""

    code = "settings_invalid"
    exit_code = 2
    default_advice = "Correct the named setting; docs/settings.md describes each of them."


class CountRefusedError(SettingsError):
    """Something about a count that must not be: the blind count, its protocol or its signatures forbid it."""

    code = "count_refused"
    default_advice = "The Counts page of the station says who counts, and what is missing."


class ReasonNeededError(CountRefusedError):
    """A change of what counts were made by, such as the start of a line, without a reason."""

    code = "reason_needed"
    default_advice = "Change it with a reason: that is kept in the audit trail, and the counts made before are flagged."


class CountOutdatedError(CountRefusedError):
    """The count was saved from another window since this one read it."""

    code = "count_outdated"
    default_advice = "Go on in the other window, or load the page again: it then shows what was saved there."


class ReviewRefusedError(SettingsError):
    """Openings that a model found cannot be reviewed, or not as asked: the tow is counted blind, or they belong to something else."""

    code = "review_refused"
    default_advice = "The Footage page of the station says what was found in its footage, and what is missing."


class DecisionRefusedError(SettingsError):
    """Something about objects on an image that cannot be decided: its tow is counted blind, or the box or label cannot be."""

    code = "decision_refused"
    default_advice = "docs/guides/boxes.md says what can be decided about an image, and when."


class DecisionOutdatedError(DecisionRefusedError):
    """Somebody else decided something about the image since this page read it."""

    code = "decision_outdated"
    default_advice = "Load what was decided since; then take your own changes over, or drop them."


class ExportRefusedError(SettingsError):
    """Something that cannot be exported as it is; `problems` lists all that is wrong, each with `advice`."""

    code = "export_refused"
    default_advice = "Correct what is listed on the scan's page, then export again."

    def __init__(self, message: str, *, advice: str | None = None, problems: tuple[object, ...] = ()) -> None:
        super().__init__(message, advice=advice)
        self.problems = problems


class ScanRefusedError(SettingsError):
    """Something about a ZooScan scan that cannot be: it is signed, is being processed, or has no such object."""

    code = "scan_refused"
    default_advice = "The page of the scan says where it stands; docs/zooscan.md says what can be done when."


class SomebodyElsesActError(ScanRefusedError):
    """The act that would be taken back is another person's, and nobody said that this is meant."""

    code = "somebody_elses_act"
    default_advice = "Decide, draw or erase anew, or have it taken back by who did it."


class ScanOutdatedError(ScanRefusedError):
    """The scan changed since the page that asks read it."""

    code = "scan_outdated"
    default_advice = "Load the page again and look at what was changed since; then do what is left to do."


class StoreError(EdgeError):
    """The database cannot be opened, trusted or written."""

    code = "store_failed"
    exit_code = 3
    default_advice = "Run `imagine-edge doctor`; `imagine-edge restore` brings back a backup."


class StoreNewerError(StoreError):
    """The database was written by a newer version of the appliance."""

    code = "store_newer"
    default_advice = "Start the newer version again, or restore a backup taken before the upgrade."


class StoreCorruptError(StoreError):
    """SQLite finds the database damaged."""

    code = "store_corrupt"
    default_advice = "Run `imagine-edge restore --latest`; originals are untouched and are read again."


class StoreRefusedError(StoreError):
    """The database refused a value for what it is; the same value will be refused again."""

    code = "store_refused"
    default_advice = "This is a fault of the appliance. Look at the log in the home folder and report the last lines."


class StoreLostError(StoreError):
    """The database's file was deleted or exchanged, or is not there although there are backups of it."""

    code = "store_lost"
    default_advice = "Stop the appliance, then run `imagine-edge restore --latest`: what it held was kept among the backups."


class DiskFullError(StoreError):
    """The disk of the home folder has no room left."""

    code = "disk_full"
    default_advice = "Free space on the disk; work goes on by itself above the floor in `min_free_mb`."


class InputError(EdgeError):
    """A file that cannot be turned into a result, with its `Reason`."""

    code = "input_invalid"
    exit_code = 4

    def __init__(self, reason: Reason, message: str, *, advice: str | None = None) -> None:
        super().__init__(message, advice=advice or REASON_ADVICE[reason])
        self.reason = reason


class ModelError(EdgeError):
    """A model pack, a runtime, or what a model returned, is not usable."""

    code = "model_failed"
    exit_code = 5
    default_advice = "Run `imagine-edge models list`; `imagine-edge models rollback` activates the previous pack."


class PackInvalidError(ModelError):
    """A model pack is damaged, incomplete or not what its manifest says."""

    code = "pack_invalid"
    default_advice = "Copy the pack again; its files must have the hashes that its manifest names."


class TransportError(EdgeError):
    """A link or a remote side failed."""

    code = "transport_failed"
    exit_code = 6
    default_advice = "Nothing is lost: the transfer is tried again when the link is back."


class LinkDownError(TransportError):
    """Nobody answers at the address of a remote side, or the connection broke."""

    code = "link_down"


class ServerFailedError(TransportError):
    """A remote side answered that it cannot now, or with something that is no answer of it."""

    code = "server_failed"
    default_advice = "It is tried again by itself. If it lasts, ask who runs that server."

    def __init__(self, message: str, *, after_s: float | None = None, advice: str | None = None) -> None:
        """`after_s`: it asks not to be called again for so long."""
        super().__init__(message, advice=advice)
        self.after_s = after_s


class ServerRefusedError(TransportError):
    """A remote side refused what was asked; the same would be refused again."""

    code = "server_refused"
    default_advice = "Correct what the message names, and ask for it again."

    def __init__(self, message: str, *, status: int | None = None, advice: str | None = None) -> None:
        """`status`: of HTTP."""
        super().__init__(message, advice=advice)
        self.status = status


class LoginNeededError(TransportError):
    """A remote side does not know us (any more): no password, a wrong one, or a token that has expired."""

    code = "login_needed"
    default_advice = "Run `imagine-edge zooscan login` and type name and password of the EcoTaxa account; what waits goes on by itself."


class ImportFailedError(TransportError):
    """EcoTaxa looked at what it was sent, and did not take it."""

    code = "import_failed"
    default_advice = "The message lists what EcoTaxa found. Correct it, then push the scan again."


class BusyError(EdgeError):
    """Another process already works on this home folder."""

    code = "home_in_use"
    exit_code = 7
    default_advice = "Use the running appliance (drop the files into its inbox), or stop it first."


class AccountError(SettingsError):
    """An account that cannot be made or changed as asked: a taken name, a short password, the last administrator."""

    code = "account_invalid"
    default_advice = "Correct the named value and try again; nothing was changed."


class AccessError(EdgeError):
    """Who asked may not do it, or did not prove who they are."""

    code = "access_refused"
    exit_code = 8
    default_advice = "Ask an administrator of the appliance for a role that may do it."


class SignInRefusedError(AccessError):
    """The name or the password is wrong; which of the two is not told."""

    code = "sign_in_refused"
    default_advice = "Type both again; mind capital letters and the keyboard's language. An administrator can set a new password."


class LockedOutError(AccessError):
    """Too many wrong attempts. `left_s` is how long until the next may be made, rounded up."""

    code = "locked_out"
    default_advice = "Wait that long, or ask an administrator to lift it on the page People."

    def __init__(self, message: str, *, left_s: int, advice: str | None = None) -> None:
        super().__init__(message, advice=advice)
        self.left_s = left_s


class PinRefusedError(AccessError):
    """A PIN that does not sign: wrong, not set, or no longer accepted after too many wrong ones."""

    code = "pin_refused"
    default_advice = "Type it again; on the page Account you can set a new one with your password."
