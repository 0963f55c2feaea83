"""The work of a job: judge what it is given, let the teacher answer, fit the student, write down how it went."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cloudistill.emulators.bedrock import outputs, prompts
from cloudistill.emulators.bedrock.checks import checked
from cloudistill.emulators.bedrock.distillation import distilled
from cloudistill.emulators.bedrock.jobs import CustomModel, Job, new_id
from cloudistill.emulators.bedrock.rows import Course, course
from cloudistill.emulators.bedrock.storage import Storage, split
from cloudistill.emulators.learner import fit
from cloudistill.emulators.teacher import Teacher


class Training:
    """The tuner behind the control plane."""

    def __init__(self, storage: Storage, teacher: Teacher) -> None:
        self._storage = storage
        self._teacher = teacher

    def check(self, job: Job) -> Course:
        """What the job's data teaches. Raises `BadData`."""
        held_out = tuple(course(self._rows(uri, job, fewest=1)).lessons for uri in job.validators)
        return replace(self._taught(job), held_out=held_out)

    def fit(self, job: Job, taught: Course) -> CustomModel:
        """The trained student; its job's files are written."""
        student = fit(taught.lessons, **job.base.schooling(job.hyper))
        losses = tuple(outputs.wrong_share(student, lessons) for lessons in taught.held_out)
        model = CustomModel(new_id(), job, student, taught, losses)
        self._storage.write(job.order["outputDataConfig"]["s3Uri"], job.id, outputs.files(model))
        return model

    def _taught(self, job: Job) -> Course:
        if job.kind == "FINE_TUNING":
            return course(self._rows(job.order["trainingDataConfig"]["s3Uri"], job))
        return distilled(self._sifted(job), self._teacher, job.teacher.get("maxResponseLengthForInference"))

    def _rows(self, uri: str, job: Job, **limits: int) -> list[dict[str, Any]]:
        return checked(self._storage.read(uri), split(uri)[1], nova=job.base.nova, **limits)

    def _sifted(self, job: Job) -> prompts.Sifted:
        data, nova = job.order["trainingDataConfig"], job.base.nova
        if "s3Uri" in data:
            return prompts.from_file(self._storage.read(data["s3Uri"]), split(data["s3Uri"])[1], nova=nova)
        logs = data["invocationLogsConfig"]
        objects = self._storage.read_all(logs["invocationLogSource"]["s3Uri"])
        return prompts.from_logs(objects, logs, job.teacher["teacherModelIdentifier"], nova=nova)
