"""How fast a training file is sent, against the vendor SDK's own fastest call on the same emulator: wall time."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from functools import partial
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from _common import MEGABYTE, Verdict, describe, emulated, interleaved, lessons_of_size

from cloudistill.backends.backend import connect

LIMIT = 0.9
ROUNDS = 7
Send = Callable[[Path, str], object]
"""Sends a file under a name that is not taken."""


def to_s3() -> Send:
    import boto3

    sdk: Any = boto3
    client = sdk.client("s3")
    bucket = os.environ["CLOUDISTILL_BEDROCK_BUCKET"]
    return lambda path, name: client.upload_file(str(path), bucket, name)


def to_gcs() -> Send:
    from google.auth.credentials import AnonymousCredentials
    from google.cloud import storage

    client: Any = storage.Client(project="bench", credentials=AnonymousCredentials())
    bucket = client.bucket(os.environ["CLOUDISTILL_VERTEX_BUCKET"])
    return lambda path, name: bucket.blob(name).upload_from_filename(str(path))


def to_openai() -> Send:
    from openai import OpenAI

    client = OpenAI()
    return lambda path, _name: client.files.create(file=path, purpose="fine-tune")


def ours(platform: str) -> Send:
    backend: Any = connect(platform)
    return lambda path, name: backend.upload(path, fingerprint=name)


SDKS: dict[str, tuple[str, Callable[[], Send]]] = {
    "bedrock": ("boto3 upload_file", to_s3),
    "vertex": ("upload_from_filename", to_gcs),
    "openai": ("files.create", to_openai),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=48, help="of the file, in MB (48)")
    size = parser.parse_args().size
    verdict = Verdict()
    with TemporaryDirectory() as folder:
        data = lessons_of_size(Path(folder) / "lessons.jsonl", size * MEGABYTE)
        describe(data)
        for platform, (call, sdk) in SDKS.items():
            with emulated(platform):
                measure(verdict, data, f"{platform}: {call}", sdk(), ours(platform))
    verdict.leave()


def sent(send: Send, data: Path, numbers: Iterator[int]) -> None:
    send(data, sha256(str(next(numbers)).encode()).hexdigest())


def measure(verdict: Verdict, data: Path, name: str, sdk: Send, backend: Send) -> None:
    numbers = count()
    tasks = [partial(sent, send, data, numbers) for send in (sdk, backend)]
    for task in tasks:
        task()  # connects
    theirs, own = interleaved(ROUNDS, *tasks, clock=perf_counter)
    speed = data.stat().st_size / MEGABYTE
    print(f"{name} {speed / theirs:,.0f} MB/s, upload {speed / own:,.0f} MB/s")
    verdict.at_least(f"upload to {name.partition(':')[0]}, of the SDK's own speed", theirs / own, LIMIT)


if __name__ == "__main__":
    main()
