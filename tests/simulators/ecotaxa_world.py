"""What an EcoTaxa server holds and does, without HTTP: accounts, projects, files of accounts, jobs that check and import for real.

Made from facts about the server (domain notes on ZooScan, section b, and its published OpenAPI document): files are unpacked at upload
into a folder named after the archive, an import checks first and imports then, and puts its folder into the trash when it went well. A job
goes one step on whenever somebody looks at it, so that a test needs no clock.
"""

from __future__ import annotations

import copy
import csv
import io
import secrets
import shutil
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.simulators.ecotaxa_import import Checked, Known, Line, check_files

USER, PASSWORD, NAME = "rita@sea.example", "s3cret Plankton", "Rita Zoo"
PROJECT, FOREIGN_PROJECT = 42, 43
_DROPPED = (".log", ".json", ".md")


class RefusedError(Exception):
    """A call that is answered with a status."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


@dataclass(slots=True, kw_only=True)
class Object:
    """An object of a project."""

    object_id: str
    sample_id: str
    values: dict[str, str]
    status: str = ""
    category: str = ""
    category_id: int | None = None
    person: str = ""


@dataclass(slots=True, kw_only=True)
class Project:
    """A project, who may change it, and what is in it."""

    users: set[str]
    readers: set[str] = field(default_factory=set)
    known: Known = field(default_factory=Known)
    objects: dict[str, Object] = field(default_factory=dict)
    samples: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Job:
    """A job. `todo` is what it does when it is looked at next."""

    id: int
    owner: str
    type: str
    params: dict[str, Any]
    state: str = "P"
    message: str = "Waiting for a slot"
    percent: int = 0
    errors: list[str] = field(default_factory=list)
    question: dict[str, Any] = field(default_factory=dict)
    reply: dict[str, Any] = field(default_factory=dict)
    checked: Checked | None = None
    todo: str = "validate"
    file: bytes = b""


class World:
    """One server's state; outlives the server that shows it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.users = {USER: PASSWORD}
        self.taxa = {"copepoda": 101, "multiple<other": 102}
        self.projects = {PROJECT: Project(users={USER}), FOREIGN_PROJECT: Project(users=set())}
        self.jobs: dict[int, Job] = {}
        self.tokens: dict[str, str] = {}
        self.logins = 0
        self.is_old = False
        self.die_in_import = False
        self._next_job = 1000

    # Accounts

    def login(self, username: str, password: str) -> str:
        if self.users.get(username) != password:
            raise RefusedError(403, "You can't do this.")
        self.logins += 1
        token = secrets.token_urlsafe(24)
        self.tokens[token] = username
        return token

    def user_of(self, token: str | None) -> str:
        if token is None:
            raise RefusedError(403, "Not authenticated")
        if token not in self.tokens:
            raise RefusedError(403 if self.is_old else 401, "Could not validate credentials")
        return self.tokens[token]

    def expire_tokens(self) -> None:
        self.tokens.clear()

    # Files of an account

    def root(self, user: str) -> Path:
        root = self.folder / f"ecotaxa_user.{user.partition('@')[0]}"
        root.mkdir(parents=True, exist_ok=True)
        return root

    def store(self, user: str, name: str, path: str, content: Path) -> str:
        if ".." in path or not path.endswith(name):
            raise RefusedError(422, "Forbidden")
        folder = self.root(user) / path.strip("/")[: -len(name)].strip("/")
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / name
        shutil.move(content, kept)
        if not self.is_old:
            self._unpack(kept, folder)
        return str(kept)

    def _unpack(self, kept: Path, folder: Path) -> None:
        try:
            with zipfile.ZipFile(kept) as archive:
                names = archive.namelist()
                to = folder if names[0].startswith(f"{kept.stem}/") else folder / kept.stem
                archive.extractall(to)
        except (zipfile.BadZipFile, EOFError) as error:
            kept.unlink()
            raise RefusedError(422, "zipfile is corrupt") from error
        for name in names:
            if name.endswith(_DROPPED):
                (to / name).unlink()
        kept.unlink()

    def listing(self, user: str, path: str) -> list[dict[str, Any]]:
        folder = self.root(user) / path.strip("/")
        if not folder.is_dir():
            raise RefusedError(404, "Not found.")
        return [
            {"name": one.name, "type": "D" if one.is_dir() else "F", "size": one.stat().st_size if one.suffix == ".zip" else 0, "mtime": ""}
            for one in folder.iterdir()
        ]

    def remove(self, user: str, path: str) -> None:
        source = self.root(user) / path.strip("/")
        if source.exists():
            trash = self.root(user) / "trash" / path.strip("/")
            trash.parent.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(trash, ignore_errors=True)
            shutil.move(source, trash)

    # Projects and jobs

    def project(self, user: str, project_id: int, *, to_change: bool = False) -> Project:
        if project_id not in self.projects:
            raise RefusedError(404, "Not found.")
        project = self.projects[project_id]
        if user not in (project.users if to_change else project.users | project.readers):
            raise RefusedError(403, "You can't do this.")
        return project

    def begin(self, user: str, job_type: str, project_id: int, request: dict[str, Any]) -> int:
        self.project(user, project_id, to_change=True)
        self._next_job += 1
        params = {"prj_id": project_id, "req": request}
        todo = "validate" if job_type == "FileImport" else "export"
        self.jobs[self._next_job] = Job(id=self._next_job, owner=user, type=job_type, params=params, todo=todo)
        return self._next_job

    def job(self, user: str, job_id: int) -> Job:
        job = self.jobs.get(job_id)
        if job is None:
            raise RefusedError(404, "Not found.")
        if job.owner != user:
            raise RefusedError(403, "You can't do this.")
        return job

    def look(self, user: str, job_id: int) -> Job:
        """A job, which goes a step on."""
        job = self.job(user, job_id)
        if job.state in ("P", "R"):
            {"validate": self._validate, "import": self._import, "export": self._export}[job.todo](job)
        return job

    def reply(self, user: str, job_id: int, reply: dict[str, Any]) -> None:
        job = self.job(user, job_id)
        if job.state == "A":
            job.state, job.message, job.reply = "P", "Proceeding", reply

    def restart(self) -> None:
        """The machine was switched off: what ran is no more."""
        for job in self.jobs.values():
            if job.state == "R":
                job.state, job.message, job.errors = "E", "Killed", ["The job was killed."]

    def _files(self, job: Job) -> dict[str, bytes]:
        path = str(job.params["req"]["source_path"])
        source = Path(path) if self.is_old else self.root(job.owner) / path.strip("/")
        if source.is_file():
            with zipfile.ZipFile(source) as archive:
                return {name: archive.read(name) for name in archive.namelist()}
        return {one.relative_to(source).as_posix(): one.read_bytes() for one in source.rglob("*") if one.is_file()}

    def _validate(self, job: Job) -> None:
        if job.state == "P" and not job.reply:
            job.state, job.message, job.percent = "R", "Validating", 1
            return
        project, request = self.projects[job.params["prj_id"]], job.params["req"]
        known = copy.deepcopy(project.known)
        known.taxa, known.users = self.taxa, {USER: 1, NAME.lower(): 1}
        known.images = {(one.object_id, one.values["img_file_name"]) for one in project.objects.values()}
        skip, update = request["skip_existing_objects"], request["update_mode"] != ""
        job.checked = check_files(self._files(job), known, skip_existing=skip, update=update)
        errors = [f"[base]/{problem}" for problem in job.checked.problems if problem.kind == "error"]
        missing_taxa = sorted(job.checked.taxa - set(job.reply.get("taxa", {})))
        missing_users = sorted(job.checked.users - set(job.reply.get("users", {})))
        if errors:
            job.state, job.errors, job.message = "E", errors, f"{len(errors)} error(s) during run"
        elif missing_taxa or missing_users:
            job.state, job.message = "A", "Some users or taxonomic references could not be matched"
            job.question = {"missing_taxa": missing_taxa, "missing_users": missing_users}
        else:
            job.state, job.todo, job.percent, job.message = "R", "import", 20, "Validating files 1/1"

    def _import(self, job: Job) -> None:
        assert job.checked is not None
        project, request = self.projects[job.params["prj_id"]], job.params["req"]
        crash = next((problem for problem in job.checked.problems if problem.kind == "crash"), None)
        lines = job.checked.lines if crash is None and not self.die_in_import else job.checked.lines[: len(job.checked.lines) // 2]
        for line in lines:
            self._take(project, line, update=request["update_mode"] != "", reply=job.reply)
        if self.die_in_import:
            job.percent, job.message = 60, "Importing"
            return
        if crash is not None:
            job.state, job.errors, job.message = "E", [f"value too long for type character varying: {crash}"], "1 error(s) during run"
            return
        project.known.columns = job.checked.columns
        job.state, job.percent, job.message = "F", 100, "Done"
        if not self.is_old:
            self.remove(job.owner, request["source_path"])

    def _take(self, project: Project, line: Line, *, update: bool, reply: dict[str, Any]) -> None:
        object_id, sample_id = line.text("object_id"), line.text("sample_id")
        known = project.objects.get(object_id)
        if known is not None:
            if update:
                known.values = line.values
            return
        if update:
            return
        category = line.text("object_annotation_category")
        number = self.taxa.get(category.lower()) or reply.get("taxa", {}).get(category.lower())
        project.samples.setdefault(sample_id, 7000 + len(project.samples))
        project.known.sample_of[line.text("acq_id")] = sample_id
        status = line.text("object_annotation_status")
        project.objects[object_id] = Object(
            object_id=object_id, sample_id=sample_id, values=line.values, status=status, category=category, category_id=number
        )

    def _export(self, job: Job) -> None:
        if job.state == "P":
            job.state, job.message, job.percent = "R", "Start TSV export", 1
            return
        project = self.projects[job.params["prj_id"]]
        wanted = {int(number) for number in job.params["req"]["filters"].get("samples", "").split(",") if number}
        rows = [one for one in project.objects.values() if not wanted or project.samples[one.sample_id] in wanted]
        text = io.StringIO()
        text.writelines(_export_lines(rows))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"export_{job.params['prj_id']}_20261122_0400.tsv", b"\xef\xbb\xbf" + text.getvalue().encode())
            archive.writestr(f"job_{job.id}.log", "exported\n")
        job.file = out.getvalue()
        job.state, job.percent, job.message = "F", 100, "Export successful"


def _export_lines(rows: list[Object]) -> Iterator[str]:
    """Annotations only, as the server writes them: texts in quotes, a line of types."""
    names = ("status", "person_name", "person_email", "date", "time", "category", "category_id")
    yield _line("object_id", *(f"object_annotation_{name}" for name in names))
    yield _line("[t]", "[t]", "[t]", "[t]", "[t]", "[t]", "[t]", "[f]")
    for one in rows:
        human = one.status in ("validated", "dubious")
        yield _line(
            one.object_id,
            one.status,
            one.person,
            USER if one.person else "",
            "20261120" if human else "",
            "101500" if human else "",
            one.category,
            "" if one.category_id is None else one.category_id,
        )


def _line(*cells: str | float) -> str:
    out = io.StringIO()
    csv.writer(out, delimiter="\t", quotechar='"', lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC).writerow(cells)
    return out.getvalue()
