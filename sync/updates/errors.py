"""What can go wrong with signed updates, ashore and aboard."""

from __future__ import annotations

from typing import ClassVar

from edge.errors import BusyError, ModelError, SettingsError, TransportError


class NoTrustError(SettingsError):
    """Nobody has said yet whose models this appliance may take."""

    code: ClassVar[str] = "no_trusted_root"
    default_advice: ClassVar[str] = (
        "Get root.json from shore by hand, and run `imagine-edge sync trust ROOT.json`. Without it nothing is fetched."
    )


class UpdatesUntrustedError(TransportError):
    """What came is not signed as it must be, is older than what was seen before, or is not what was signed."""

    code: ClassVar[str] = "updates_untrusted"
    default_advice: ClassVar[str] = (
        "Nothing of it was taken, and installed models go on. If it lasts, ask shore by another way: somebody may be in between, "
        "or an old copy is being served."
    )


class UpdatesStaleError(TransportError):
    """What came was signed for a time that is over."""

    code: ClassVar[str] = "updates_stale"
    default_advice: ClassVar[str] = (
        "Installed models go on. Is the clock of this machine right? Then shore has to sign anew (`imagine-edge shore refresh`), "
        "or bring a fresh copy on a stick."
    )


class ClockBehindError(TransportError):
    """The clock says a time that has been over before; then no date of a signature can be judged."""

    code: ClassVar[str] = "clock_behind"
    default_advice: ClassVar[str] = (
        "Set the clock of this machine. If it is right now and was wrong before, run `imagine-edge sync trust ROOT.json --forget-time`. "
        "Results and installed models go on."
    )


class UpdatesBusyError(BusyError):
    """Another process, or another page, fetches updates for this home folder."""

    code: ClassVar[str] = "updates_busy"
    default_advice: ClassVar[str] = "Wait until it is done; then ask again."


class NotOfferedError(ModelError):
    """A model that shore does not offer, or not for this version of the appliance."""

    code: ClassVar[str] = "not_offered"
    default_advice: ClassVar[str] = "`imagine-edge sync updates` lists what is offered."


class DowngradeRefusedError(ModelError):
    """An older version than was installed before."""

    code: ClassVar[str] = "downgrade_refused"
    default_advice: ClassVar[str] = "If the older version is really wanted, ask for it with --downgrade; that is kept in the audit trail."


class UpdateRolledBackError(ModelError):
    """A new model was let serve, failed its test in place, and the one before serves again."""

    code: ClassVar[str] = "update_rolled_back"
    default_advice: ClassVar[str] = "The model before serves again. Tell shore what the message says."


class KeyUnusableError(SettingsError):
    """A key that does not sign here."""

    code: ClassVar[str] = "key_unusable"
    default_advice: ClassVar[str] = "Give the file of a key that `imagine-edge shore key` made, and its passphrase."


class RepositoryUnsoundError(SettingsError):
    """The folder of signed models is not one, or cannot be brought to what was asked."""

    code: ClassVar[str] = "repository_unsound"
    default_advice: ClassVar[str] = "`imagine-edge shore status REPOSITORY` tells what is there and what is missing."


class PackNotPublishableError(ModelError):
    """A pack that must not go to ships: damaged, never measured, or older than what they have."""

    code: ClassVar[str] = "pack_not_publishable"
    default_advice: ClassVar[str] = "Make a sound, measured pack with a higher version: docs/updates.md says how."
