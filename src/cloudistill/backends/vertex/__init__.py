"""Google Vertex AI over google-genai and google-cloud-storage: files in a bucket, tuning jobs, generateContent."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from cloudistill.backends.backend import Answer, Request, load_sdk
from cloudistill.backends.common import MARKER, Findings, Kept, Metrics, training_file, unusable
from cloudistill.backends.pages import every
from cloudistill.backends.vertex import answers, native, orders, preflight, removal, reports
from cloudistill.backends.vertex.bucket import FOLDER, split
from cloudistill.backends.vertex.setup import Setup
from cloudistill.core.errors import UsageError
from cloudistill.core.job import Job, JobEvent, JobSpec, PromptReport
from cloudistill.core.refs import FileRef, JobRef, ModelRef
from cloudistill.platforms.platform import load

if TYPE_CHECKING:
    from google.genai.types import CreateTuningJobConfig, TunedModel, TuningJob


class VertexBackend(Setup):
    """Cloud Storage, tuning jobs, and models wherever they are served.

    Args:
        project: else `GOOGLE_CLOUD_PROJECT`, else the credentials' own.
        location: where jobs run; else `GOOGLE_CLOUD_LOCATION`. Models are called where they live.
        bucket: for training files; else `CLOUDISTILL_VERTEX_BUCKET`.
        credentials: ready google-auth credentials; else the application default.
        base_url: another endpoint; else `GOOGLE_VERTEX_BASE_URL`, else Google's own for the location.
        timeout: seconds to wait for a connection, and for each part of an answer.
    """

    platform = "vertex"
    idempotent = False

    def preflight(self, student: ModelRef | None = None) -> Findings:
        """Credentials, project, location, the API, the bucket."""
        return preflight.findings(self, student)

    # -- training

    def upload(self, path: Path, *, fingerprint: str) -> FileRef:
        """Store a training file under its content's name; what is there already is not sent again."""
        return self.objects(self.bucket).store(path, f"{FOLDER}/{fingerprint}.jsonl")

    def accepts(self, spec: JobSpec) -> None:
        """Refuse what Vertex's create request has no place for, and pairs that Vertex never distilled."""
        self._config(spec)

    def submit(self, spec: JobSpec) -> Job:
        """Send the paid order, exactly one request."""
        config = self._config(spec)
        tunings = self.client(self.location).tunings
        with answers.quiet():
            found = tunings.tune(
                base_model=spec.student.id, training_dataset={"gcs_uri": training_file(spec)}, config=config
            )
        return orders.to_job(found, "POST tuningJobs")

    def _config(self, spec: JobSpec) -> CreateTuningJobConfig:
        if spec.method == "native":
            native.require_place(spec, self.location)
        else:
            self.require_location(spec.student)
        folder = f"gs://{self.bucket}/{FOLDER}/out/{spec.marker}/" if native.is_open(spec.student.id) else ""
        config = orders.create_config(spec, folder)
        training_file(spec)
        return config

    def find(self, spec: JobSpec) -> Job | None:
        """The job that carries the order's marker.

        Google does not document the filter: it is a hint, and a list without it is looked through as well.
        """
        wrong = load_sdk("google.genai.errors", extra="vertex").ClientError
        try:
            found = self._marked(spec.marker, f"labels.{MARKER}={spec.marker}")
        except wrong:  # what is wrong with more than the hint shows again without it
            found = None
        return found or self._marked(spec.marker)

    def _marked(self, marker: str, hint: str | None = None) -> Job | None:
        return next((job for job in self._jobs(hint) if job.marker == marker), None)

    def poll(self, ref: JobRef) -> Job:
        """One GET, at the job's own location."""
        return orders.to_job(self._get(ref), f"GET {ref.id}")

    def _get(self, ref: JobRef) -> TuningJob:
        with answers.quiet():
            found = self.client(orders.location_of(ref.id) or self.location).tunings.get(name=ref.id)
        if (found.name or "").rpartition("/")[2] != ref.id.rpartition("/")[2]:
            raise unusable("vertex", f"GET {ref.id}", orders.shown(found))
        return found

    def cancel(self, ref: JobRef) -> None:
        """Ask Vertex to stop the job."""
        self.client(orders.location_of(ref.id) or self.location).tunings.cancel(name=ref.id)

    def list(self) -> Iterator[Job]:
        """The project's tuning jobs in this location, page by page: Vertex lists no other location's with them."""
        return self._jobs()

    def _jobs(self, hint: str | None = None) -> Iterator[Job]:
        return (orders.to_job(found, "GET tuningJobs") for found in self._listed(hint))

    def _listed(self, hint: str | None = None) -> Iterator[TuningJob]:
        tunings = self.client(self.location).tunings

        def page(token: str | None) -> tuple[list[TuningJob], str | None]:
            with answers.quiet():
                found = tunings.list(config={"page_size": 100, "filter": hint, "page_token": token})
            return found.page, found.config.get("page_token")

        return every("vertex", "GET tuningJobs", page)

    # -- what became of it

    def prompt_report(self, ref: JobRef) -> PromptReport | None:
        """What Vertex counted of the prompts, and where the teacher's answers lie, once one of both is there."""
        found = self._get(ref)
        bucket, folder = split(f"{(found.output_uri or '').rstrip('/')}/{reports.LABELLED}")
        labelled = f"gs://{bucket}/{folder}" if bucket and self.objects(bucket).holds(folder) else None
        return reports.prompt_report(found, labelled)

    def events(self, ref: JobRef) -> Iterator[JobEvent]:
        """The job's times, stage and progress, oldest first."""
        yield from reports.events(self._get(ref))

    def metrics(self, ref: JobRef) -> Metrics:
        """What the job's metrics file holds, if it names one; that it may not be read is an error, not silence."""
        bucket, path = split(self._get(ref).gcs_metrics_uri or "")
        return reports.steps(self.objects(bucket).lines(path)) if path else []

    def checkpoints(self, ref: JobRef) -> Kept:
        """The checkpoints that have an endpoint of their own, oldest first."""
        return reports.checkpoints(self._get(ref))

    # -- removal

    def delete_file(self, ref: FileRef) -> None:
        """Remove a file of ours from our bucket.

        Raises:
            UsageError: it lies elsewhere.
        """
        self.objects(self.bucket).remove(ref)

    def delete_model(self, ref: ModelRef) -> None:
        """Take a tuned model down with the endpoints its job made, named by either; a checkpoint's goes alone.

        Open weights stay in their folder of the bucket.

        Raises:
            UsageError: it is a publisher's model, has other versions, or is no endpoint of a job in this location.
            ServiceTrouble: Google is still at work; ask again.
        """
        removal.require_ours(ref)
        removal.remove(self.rest(), ref, self._result_behind(ref))

    def _result_behind(self, ref: ModelRef) -> TunedModel | None:
        """What the job made that `ref` stems from: Vertex keeps jobs for ever, so it is known when parts are gone."""
        results = (found.tuned_model for found in self._listed() if found.tuned_model)
        return next((tuned for tuned in results if removal.made(ref, tuned)), None)

    # -- answering

    def generate(self, model: ModelRef, request: Request) -> Answer:
        """Ask `model` where it lives: a tuned one in its endpoint's location, a base model where it is served.

        Raises:
            UsageError: the model has no endpoint yet.
        """
        if orders.kind_of(model.id) == "models":
            raise UsageError(f"{model} is served by no endpoint: deploy it, and ask vertex:projects/…/endpoints/…")
        return answers.answer(self.client(self._home_of(model)), model, request)

    def _home_of(self, model: ModelRef) -> str:
        home = orders.location_of(model.id)
        if home:
            return home
        known = load("vertex").model(model.id)
        served = known.inference_locations if known else ()
        return served[0] if served else self.location
