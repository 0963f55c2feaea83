"""OpenAI's fine-tuning API: orders taken and changed; what a job has done is worked out when somebody looks."""

from __future__ import annotations

import hashlib
import threading
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from cloudistill.emulators.clock import Clock
from cloudistill.emulators.openai import lines, orders
from cloudistill.emulators.openai.api import Asked, Refusal, page
from cloudistill.emulators.openai.files import Files
from cloudistill.emulators.openai.job import FINAL, PAUSING, Job, planned, resumed, unix
from cloudistill.emulators.openai.models import Models
from cloudistill.emulators.openai.training import Trained, resolve, train

MOST_LISTED = 100


class Jobs:
    """The account's tuning jobs; `made` holds them in the order they were paid for."""

    def __init__(self, clock: Clock, files: Files, models: Models) -> None:
        self._clock, self._files, self._models = clock, files, models
        self._lock = threading.Lock()
        self.made: list[Job] = []

    def settle(self) -> None:
        """Do what has been done by now: check files, train students. May take seconds."""
        for job in list(self.made):
            self._settle(job)

    def _settle(self, job: Job) -> datetime:
        """Do what `job` has done by now; gives that time, because work takes some, and the job is shown as of then."""
        with job.lock:
            now = self._clock.now()
            checked = job.reached("queued", now)
            if job.rows is None and checked:
                self._check(job, checked)
            finished = job.reached("succeeded", now)
            if finished and not job.kept and (trained := self._train(job)):
                self._keep(job, trained, finished)
        return now

    def _train(self, job: Job) -> Trained | None:
        """What the training comes to, worked out once; None if the files were bad."""
        if job.trained is None and job.rows and job.numbers:
            job.trained = train(job.order, job.rows, job.numbers, job=job.id, seed=job.seed)
        return job.trained

    def _check(self, job: Job, at: datetime) -> None:
        order = job.order
        try:
            job.rows = lines.read(order.training.content)
            if order.validation:
                lines.read(order.validation.content, role="validation", least=1)
            job.numbers = resolve(order.hyperparameters, len(job.rows))
        except lines.BadFile as bad:
            job.error = bad.error
            job.plan = [job.plan[0], (at, "failed")]

    def _keep(self, job: Job, trained: Trained, at: datetime) -> None:
        csv = self._files.add("step_metrics.csv", trained.csv(), purpose="fine-tune-results")
        job.result_files.append(csv.id)
        for model in (trained.model, *(model for model, _ in trained.checkpoints)):
            model.created = at
            self._models.tuned[model.id] = model
        job.kept = True

    def _get(self, asked: Asked) -> Job:
        name = asked.path["job"]
        for job in self.made:
            if job.id == name:
                self._settle(job)
                return job
        raise Refusal(f"Could not find fine tune: {name}", status=404, code="fine_tune_not_found", param="fine_tune_id")

    def create(self, asked: Asked) -> Response:
        """POST /fine_tuning/jobs: a paid order; the same one again is another."""
        now = self._clock.now()
        order = orders.read(asked, files=self._files, models=self._models, now=now)
        with self._lock:
            digest = hashlib.sha256(f"{len(self.made)} {order.training.id} {order.model.id}".encode()).hexdigest()
            seed = int(digest[:8], 16) % orders.MOST_SEED if order.seed is None else order.seed
            job = Job(id=f"ftjob-{digest[:24]}", order=order, seed=seed, plan=planned(now))
            self.made.append(job)
        return JSONResponse(job.shown(now))

    def retrieve(self, asked: Asked) -> Response:
        """GET /fine_tuning/jobs/{job}."""
        asked.parameters()
        job = self._get(asked)
        return JSONResponse(job.shown(self._settle(job)))

    def list(self, asked: Asked) -> Response:
        """GET /fine_tuning/jobs: newest first; `metadata[k]=v` filters, and so does the literal `metadata=null`."""
        filters = {k[9:-1]: value for k, value in asked.query if k.startswith("metadata[") and k.endswith("]")}
        query = asked.parameters("after", "limit", "metadata", *(f"metadata[{key}]" for key in filters))
        untagged = "metadata" in query
        if "" in filters or (untagged and (filters or query["metadata"] != "null")):
            message = "Invalid 'metadata': use metadata[k]=v, or metadata=null alone."
            raise Refusal(message, code="invalid_value", param="metadata")
        jobs = [job for job in reversed(self.made) if not (untagged and job.order.metadata is not None)]
        found = [job for job in jobs if filters.items() <= (job.order.metadata or {}).items()]
        return page([job.shown(self._settle(job)) for job in found], query, default=20, most=MOST_LISTED)

    def cancel(self, asked: Asked) -> Response:
        """POST /fine_tuning/jobs/{job}/cancel: any job that has not ended."""
        job = self._get(asked)
        with job.lock:
            now = self._clock.now()
            if job.status(now) in FINAL:
                raise _cannot("cancel", job, now)
            job.plan = [*job.past(now), (now, "cancelled")]
        return JSONResponse(job.shown(now))

    def pause(self, asked: Asked) -> Response:
        """POST /fine_tuning/jobs/{job}/pause: only while it runs."""
        job = self._get(asked)
        with job.lock:
            now = self._clock.now()
            if job.status(now) != "running":
                raise _cannot("pause", job, now)
            job.plan = [*job.past(now), (now, "pausing"), (now + PAUSING, "paused")]
        return JSONResponse(job.shown(now))

    def resume(self, asked: Asked) -> Response:
        """POST /fine_tuning/jobs/{job}/resume: only once it is paused."""
        job = self._get(asked)
        with job.lock:
            now = self._clock.now()
            if job.status(now) != "paused":
                raise _cannot("resume", job, now)
            job.plan = [*job.past(now), *resumed(job, now)]
        return JSONResponse(job.shown(now))

    def events(self, asked: Asked) -> Response:
        """GET /fine_tuning/jobs/{job}/events: newest first; losses are told while the job runs."""
        query, job = asked.parameters("after", "limit"), self._get(asked)
        with job.lock:
            now = self._clock.now()
            if job.reached("running", now):
                self._train(job)
            told = job.events(now)
        return page(told, query, default=20, most=MOST_LISTED)

    def checkpoints(self, asked: Asked) -> Response:
        """GET /fine_tuning/jobs/{job}/checkpoints: the last epochs' models, newest first, after success."""
        query = asked.parameters("after", "limit")
        job = self._get(asked)
        shown: list[dict[str, Any]] = [
            {
                "id": f"ftckpt_{hashlib.sha256(model.id.encode()).hexdigest()[:24]}",
                "object": "fine_tuning.job.checkpoint",
                "created_at": unix(model.created),
                "fine_tuned_model_checkpoint": model.id,
                "fine_tuning_job_id": job.id,
                "metrics": {"step": metric.step, "train_loss": metric.train_loss},
                "step_number": metric.step,
            }
            for model, metric in reversed(job.trained.checkpoints if job.trained and job.kept else ())
        ]
        return page(shown, query, default=10, most=MOST_LISTED, bounds=True)


def _cannot(verb: str, job: Job, now: datetime) -> Refusal:
    return Refusal(f"Cannot {verb} a job {job.id} that already has a status of type '{job.status(now)}'.")
