"""`shore status`: what a repository offers, who signs, and what runs out."""

from __future__ import annotations

from edge.commands.common import JsonOption, answer, make_table, out, say, told
from edge.commands.shore_common import RepositoryArgument, now_utc, tell_waiting


def status_command(repository: RepositoryArgument, as_json: JsonOption = False) -> None:
    """Versions, dates, holders, packs, and signatures that are missing."""
    from sync.updates.shore.repository import Repository
    from sync.updates.shore.told import repository_status

    with told(as_json=as_json):
        status = repository_status(Repository(repository), now_utc())
    if as_json:
        answer(status)
        return
    roles = make_table("role", "version", "ends (UTC)", "days left", "signatures", "holders", "", numbers=("version", "days left"))
    for role in status.roles:
        mark = "not live yet" if not role.version else "OVER" if role.days_left < 0 else "sign anew" if role.needs_renewal else ""
        needed = f"{role.threshold} of {len(role.holders)}"
        left = str(role.days_left) if role.version else ""
        roles.add_row(role.role, str(role.version), role.expires_utc[:10], left, needed, ", ".join(role.holders), mark)
    out.print(roles)
    packs = make_table("model", "version", "MB", "state", "SHA-256", numbers=("MB",))
    for pack in status.packs:
        state = ("offered" if pack.is_live else "waits for a signature") if pack.is_whole else "ITS FILE IS DAMAGED OR GONE"
        packs.add_row(pack.name, pack.version, f"{pack.size_bytes / 1e6:.1f}", state, pack.sha256)
    if status.packs:
        out.print(packs)
    if status.waiting:
        say("Drafts that wait:")
        tell_waiting(status.waiting)
