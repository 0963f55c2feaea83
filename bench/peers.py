"""cloudistill beside the peers that install: Kiln's conversion, LiteLLM's and DSPy's job calls; one run, one mock.

Not part of `make bench`: the peers' environments, in build/peers, are about 2 GB to download.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from _common import ROOT, Verdict, children_seconds, describe, interleaved, lessons
from google.genai.types import TuningJob

from cloudistill.backends.openai import OpenAIBackend
from cloudistill.backends.vertex import answers, orders
from cloudistill.core.job import JobStatus
from cloudistill.core.refs import JobRef
from cloudistill.formats import registry
from cloudistill.formats.dataset import Dataset, convert

HOME = ROOT / "build" / "peers"
HERE = Path(__file__).parent
GOES_ON, SUCCEEDED, ENDED = "goes on", "succeeded", "ended"
UNHEARD = "HIBERNATING"
"""A word that nobody knows yet: not an end, until the vendor says what it means."""
OPENAI = {
    **dict.fromkeys(("validating_files", "queued", "running", "paused"), GOES_ON),
    "succeeded": SUCCEEDED,
    **dict.fromkeys(("failed", "cancelled"), ENDED),
    UNHEARD: GOES_ON,
}
VERTEX = {
    **{f"JOB_STATE_{word}": GOES_ON for word in ("UNSPECIFIED", "QUEUED", "PENDING", "RUNNING")},
    **{f"JOB_STATE_{word}": GOES_ON for word in ("CANCELLING", "PAUSED", "UPDATING", UNHEARD)},
    **{f"JOB_STATE_{word}": SUCCEEDED for word in ("SUCCEEDED", "PARTIALLY_SUCCEEDED")},
    **{f"JOB_STATE_{word}": ENDED for word in ("FAILED", "CANCELLED", "EXPIRED")},
}
STATES: Mapping[str, Mapping[str, str]] = {"openai": OPENAI, "vertex": VERTEX}
LOOKS, ROUNDS = 20, 5


@dataclass(frozen=True)
class Peer:
    """Another project: what to install, and what to import before its jobs can be asked about."""

    name: str
    packages: tuple[str, ...]
    module: str

    @property
    def python(self) -> Path:
        return HOME / self.name / "bin" / "python"


KILN = Peer("kiln", ("kiln-ai", "mcp<2", "together<2"), "kiln_ai.adapters.fine_tune.finetune_registry")
LITELLM = Peer("litellm", ("litellm", "google-auth"), "litellm")
DSPY = Peer("dspy", ("dspy",), "dspy")


class Mock(ThreadingHTTPServer):
    """Answers GET /v1/fine_tuning/jobs/ftjob-WORD with a job whose status is WORD, and counts what it is asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.asked: list[str] = []
        self.url = f"http://127.0.0.1:{self.server_port}/v1"
        threading.Thread(target=self.serve_forever, daemon=True).start()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        cast("Mock", self.server).asked.append(self.path)
        id_ = self.path.rpartition("/")[2]
        status = {"counted": "running"}.get(word := id_.removeprefix("ftjob-"), word)
        body = json.dumps(_job(id_, status)).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's word
        """Say nothing."""


def _job(id_: str, status: str) -> dict[str, Any]:
    """OpenAI's job object."""
    done = status == "succeeded"
    return {
        "id": id_,
        "object": "fine_tuning.job",
        "created_at": 1_795_500_000,
        "error": None,
        "fine_tuned_model": "ft:gpt-4.1-mini-2025-04-14:org::1" if done else None,
        "finished_at": 1_795_503_600 if done else None,
        "hyperparameters": {"n_epochs": 3},
        "model": "gpt-4.1-mini-2025-04-14",
        "organization_id": "org-1",
        "result_files": [],
        "seed": 1,
        "status": status,
        "trained_tokens": 1_000 if done else None,
        "training_file": "file-1",
        "validation_file": None,
    }


def installed(peer: Peer) -> bool:
    """Whether the peer's environment is there, after making it if need be."""
    if not peer.python.exists():
        print(f"installing {peer.name} ...", flush=True)
        venv.create(HOME / peer.name, with_pip=True)
    install = [peer.python, "-m", "pip", "install", "--quiet", "--prefer-binary", *peer.packages]
    done = subprocess.run(install, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        print(f"{peer.name} cannot be installed here and is left out: {done.stderr.strip()[-300:]}")
    return not done.returncode


def answer(peer: Peer, **asked: Any) -> dict[str, Any] | None:
    """What the peer's own program found; None, with its words, where it failed."""
    command = [peer.python, HERE / f"_peer_{peer.name}.py", json.dumps(asked)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603
    if done.returncode:
        print(f"{peer.name} could not be driven: {done.stderr.strip()[-300:]}")
        return None
    return json.loads(done.stdout.splitlines()[-1])


def version(peer: Peer) -> str:
    asked = [peer.python, "-m", "pip", "show", peer.packages[0]]
    return subprocess.run(asked, check=True, capture_output=True, text=True).stdout.split("Version: ")[1].split()[0]  # noqa: S603


def starting(python: Path | str, statement: str) -> float:
    """The median CPU seconds of a fresh process that runs the statement, after one that warms the disk."""
    start = partial(subprocess.run, [python, "-c", statement], check=True, capture_output=True)
    start()
    return interleaved(ROUNDS, start, clock=children_seconds)[0]


def means(status: JobStatus) -> str:
    """What a status of ours says about going on."""
    if status is JobStatus.SUCCEEDED:
        return SUCCEEDED
    return ENDED if status in {JobStatus.FAILED, JobStatus.CANCELLED} else GOES_ON


def ours(mock: Mock) -> dict[str, Any]:
    """What the peers are asked, asked of cloudistill."""
    backend = OpenAIBackend(base_url=mock.url, api_key="none")
    openai = {word: means(backend.poll(JobRef("openai", f"ftjob-{word}")).status) for word in OPENAI}
    begun = time.process_time()
    for _ in range(LOOKS):
        backend.poll(JobRef("openai", "ftjob-counted"))
    seconds = (time.process_time() - begun) / LOOKS
    return {"look": seconds, "looks": LOOKS, "openai": openai, "vertex": {word: _vertex(word) for word in VERTEX}}


def _vertex(word: str) -> str:
    model = {"model": "projects/1/locations/l/models/1", "endpoint": "projects/1/locations/l/endpoints/1"}
    with answers.quiet():
        job = TuningJob.model_validate({"name": "projects/1/l/tuningJobs/1", "state": word, "tunedModel": model})
    return means(orders.to_job(job, "GET").status)


def convert_side_by_side(verdict: Verdict, folder: Path) -> None:
    """Rows a CPU second from OpenAI's lines to Gemini's, tools included."""
    data = lessons(folder / "lessons.jsonl", times=4)
    rows = describe(data)
    theirs = answer(KILN, data=str(data), vertex=list(VERTEX))
    if theirs is None:
        return
    tell_states("kiln", theirs)
    spent: list[float] = []
    refused = 0
    for _ in range(3):
        begun = time.process_time()
        with Path(os.devnull).open("wb") as out:
            refused = convert(Dataset(data), registry.get("gemini-contents"), out).refused
        spent.append(time.process_time() - begun)
    print(f"to Gemini: kiln {rows / theirs['seconds']:,.0f} rows/s, {theirs['refused']} refused; ", end="")
    print(f"cloudistill {rows / min(spent):,.0f} rows/s, {refused} refused, checked and hashed besides")
    verdict.at_least("rows/s to Gemini with tools, of Kiln's", theirs["seconds"] / min(spent), 1)


def tell_states(name: str, found: Mapping[str, Any]) -> int:
    """Print which states are misread; the number of those that are right."""
    right = 0
    for vendor in sorted(found.keys() & STATES.keys()):
        known = STATES[vendor]
        wrong = {word: said for word, said in found[vendor].items() if said != known[word]}
        right += len(known) - len(wrong)
        listed = "; ".join(f"{word} {said}" for word, said in wrong.items())
        print(
            f"{name}: {len(known) - len(wrong)} of {len(known)} {vendor} states right{f' ({listed})' if wrong else ''}"
        )
    return right


def ask_side_by_side(verdict: Verdict, mock: Mock, peers: list[Peer]) -> None:
    """One look at a job: requests, CPU time, and what each state is taken for."""
    words: dict[str, Any] = {"url": mock.url, "openai": list(OPENAI), "vertex": list(VERTEX)}
    askers = {"cloudistill": lambda: ours(mock)} | {peer.name: partial(answer, peer, **words) for peer in peers}
    for name, ask in askers.items():
        mock.asked.clear()
        found = ask()
        if found is None:
            continue
        requests = sum(path.endswith("ftjob-counted") for path in mock.asked) / found["looks"]
        print(f"{name}: {requests:g} requests and {found['look'] * 1e3:.1f} ms of CPU for a look at a job")
        right = tell_states(name, found)
        if name == "cloudistill":
            verdict.at_most("requests for a look at a job", requests, 1)
            verdict.at_least("states read right", right, len(OPENAI) + len(VERTEX))


def start_side_by_side(verdict: Verdict, peers: list[Peer]) -> None:
    """CPU time until the package is imported, and until ours can ask OpenAI."""
    own = starting(sys.executable, "import cloudistill")
    ready = starting(sys.executable, "import cloudistill; cloudistill.connect('openai', api_key='none').client")
    print(f"cloudistill: {own:.2f} CPU s to import, {ready:.2f} until OpenAI's SDK is there to ask")
    for peer in peers:
        theirs = starting(peer.python, f"import {peer.module}")
        print(f"{peer.name}: {theirs:.2f} CPU s to import {peer.module}")
        verdict.at_most(f"import cloudistill, of importing {peer.name}", own / theirs, 1)


def main() -> None:
    print("This installs Kiln, LiteLLM and DSPy under build/peers: about 2 GB, once.", flush=True)
    peers = [peer for peer in (KILN, LITELLM, DSPY) if installed(peer)]
    print("peers:", ", ".join(f"{peer.packages[0]} {version(peer)}" for peer in peers), flush=True)
    verdict, mock = Verdict(), Mock()
    if KILN in peers:
        with TemporaryDirectory() as folder:
            convert_side_by_side(verdict, Path(folder))
    ask_side_by_side(verdict, mock, [peer for peer in peers if peer is not KILN])
    start_side_by_side(verdict, peers)
    verdict.leave()


if __name__ == "__main__":
    main()
