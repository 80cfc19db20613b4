"""A person who works in a simulated CVAT: moves, relabels, deletes and adds, takes jobs and completes them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.simulators import cvat_documents as documents
from tests.simulators.cvat_labels import LabelSpec
from tests.simulators.cvat_world import Job, Task, World


@dataclass(slots=True)
class Person:
    """An account at work in one task."""

    world: World
    task: Task
    name: str = "anna"

    @property
    def jobs(self) -> list[Job]:
        """The jobs of the task, by their first frame."""
        return self.world.jobs_of(self.task)

    def job_of(self, frame: int) -> Job:
        """The job that a frame belongs to."""
        return next(job for job in self.jobs if job.start <= frame <= job.stop)

    def shapes(self, frame: int) -> list[dict[str, Any]]:
        """The shapes on a frame."""
        return [one for one in self.job_of(frame).shapes if one["frame"] == frame]

    def take(self, job: Job) -> None:
        """The job is theirs, and in progress."""
        job.assignee, job.state = self.name, "in progress"
        job.updated = self.world.now()

    def finish(self, job: Job, *, stage: str = "annotation", state: str = "completed") -> None:
        """Set a job's stage and state."""
        job.stage, job.state = stage, state
        job.updated = self.world.now()

    def move(self, frame: int, place: int, by_px: float) -> None:
        """Move a shape; it is stored anew, under another number, as the server stores what is changed."""
        item = self.shapes(frame)[place]
        item["points"] = [one + by_px for one in item["points"]]
        self._changed(frame, item)

    def relabel(self, frame: int, place: int, label: str) -> None:
        """Give a shape another label; its attributes are those of that label, by name."""
        item = self.shapes(frame)[place]
        old, new = self.label_of(item["label_id"]), self.label(label)
        values = {spec.name: value["value"] for spec in old.attributes for value in item["attributes"] if value["spec_id"] == spec.id}
        item["attributes"] = [{"spec_id": spec.id, "value": values.get(spec.name, spec.default_value)} for spec in new.attributes]
        item["label_id"] = new.id
        self._changed(frame, item)

    def delete(self, frame: int, place: int) -> None:
        """Delete a shape."""
        job, item = self.job_of(frame), self.shapes(frame)[place]
        job.shapes = [one for one in job.shapes if one["id"] != item["id"]]
        job.updated = self.world.now()

    def add(self, frame: int, label: str, points: list[float], *, shape: str = "rectangle") -> None:
        """Draw a shape; its attributes have their defaults."""
        spec = self.label(label)
        item = {"type": shape, "frame": frame, "label_id": spec.id, "points": points, "attributes": [], "source": "manual"}
        found = documents.checked(self.task, {"version": 0, "shapes": [item]})
        documents.add_to_job(self.world, self.job_of(frame), found)

    def delete_frame(self, frame: int) -> None:
        """Take a frame out of the task."""
        self.task.deleted_frames = sorted({*self.task.deleted_frames, frame})

    def label(self, name: str) -> LabelSpec:
        """A label of the task by its name."""
        return next(one for one in self.task.labels if one.name == name)

    def label_of(self, label_id: int) -> LabelSpec:
        """A label of the task by its number."""
        return next(one for one in self.task.labels if one.id == label_id)

    def _changed(self, frame: int, item: dict[str, Any]) -> None:
        item["id"] = self.world.new_id()
        self.job_of(frame).updated = self.world.now()
