"""Cloud Storage as tuning uses it: a file stored under its content's name, results read, and what is ours removed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudistill.backends.backend import load_sdk
from cloudistill.backends.figures import LARGEST
from cloudistill.core.errors import UsageError
from cloudistill.core.refs import FileRef

FOLDER = "cloudistill"
"""What is ours in a bucket lies under it."""
CHUNK = 8 * 1024 * 1024


class Bucket:
    """One bucket, by a client of google-cloud-storage; every call is one request, `timeout` in seconds."""

    def __init__(self, client: Any, name: str, timeout: float) -> None:
        self._bucket, self._name = client.bucket(name), name
        self._once: dict[str, Any] = {"retry": None, "timeout": timeout}

    def store(self, path: Path, key: str) -> FileRef:
        """Send a file, unless an object of that name and size is there."""
        stored, size = self._bucket.get_blob(key, **self._once), path.stat().st_size
        if stored is None or stored.size != size:
            self._send(self._bucket.blob(key, chunk_size=CHUNK), path, generation=stored.generation if stored else 0)
        return FileRef("vertex", self.uri(key))

    def _send(self, blob: Any, path: Path, *, generation: int) -> None:
        """Write the object, unless somebody else has just written it: its name is its content."""
        there = load_sdk("google.api_core.exceptions", extra="vertex").PreconditionFailed
        with path.open("rb") as stream:
            try:
                blob.upload_from_file(
                    stream,
                    size=path.stat().st_size,
                    content_type="application/jsonl",
                    if_generation_match=generation,
                    checksum="crc32c",
                    **self._once,
                )
            except there:
                return

    def holds(self, key: str) -> bool:
        """Whether an object of that name is there."""
        return self._bucket.get_blob(key, **self._once) is not None

    def lines(self, path: str) -> Iterator[str]:
        """The lines of a text object, or of every one in a folder in the order of names; large ones are left out."""
        listed = self._bucket.list_blobs(prefix=path, **self._once)
        for blob in sorted(listed, key=lambda blob: blob.name):
            within = blob.name == path or blob.name.startswith(f"{path.rstrip('/')}/")
            if within and (blob.size or 0) <= LARGEST:
                whole = self._bucket.blob(blob.name)  # by its name: the listed one follows the address in the answer
                yield from whole.download_as_bytes(**self._once).decode("utf-8", "replace").splitlines()

    def remove(self, ref: FileRef) -> None:
        """Remove a file; one that is gone is no error.

        Raises:
            UsageError: it lies elsewhere, and is not ours to delete.
        """
        bucket, key = split(ref.id)
        if bucket != self._name or not key.startswith(f"{FOLDER}/"):
            raise UsageError(
                f"{ref} is no file in the bucket {self._name!r} under {FOLDER}/: delete it where it lies, with its "
                "owner's tools"
            )
        gone = load_sdk("google.api_core.exceptions", extra="vertex").NotFound
        try:
            self._bucket.blob(key).delete(**self._once)
        except gone:
            return

    def uri(self, key: str) -> str:
        """Where an object lies, as Google writes it."""
        return f"gs://{self._name}/{key}"


def split(uri: str) -> tuple[str, str]:
    """The bucket and the object of a gs:// address; two empty strings for anything else."""
    scheme, _, rest = uri.partition("://")
    bucket, _, key = rest.partition("/")
    return (bucket, key) if scheme == "gs" else ("", "")
