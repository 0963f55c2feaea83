"""What a job leaves under its output prefix in S3, found by listing: AWS documents few of the names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any
from urllib.parse import urlsplit

from cloudistill.backends.figures import LARGEST

MOST = 5_000
"""Keys: no more are listed."""


class Outputs:
    """The files of one job, as GetModelCustomizationJob describes it."""

    def __init__(self, s3: Any, job: Mapping[str, Any]) -> None:
        parts = urlsplit(str(job["outputDataConfig"]["s3Uri"]))
        prefix = parts.path.strip("/")
        self._s3 = s3
        self._bucket = parts.netloc
        self._folder = f"{prefix}/" * bool(prefix) + f"model-customization-job-{job['jobArn'].rpartition('/')[2]}/"

    def keys(self, name: re.Pattern[str]) -> list[str]:
        """The keys in whose part below the job's folder `name` is found, in order."""
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self._bucket, Prefix=self._folder, PaginationConfig={"MaxItems": MOST}
        )
        listed = [found for page in pages for found in page.get("Contents", ()) if found["Size"] <= LARGEST]
        return sorted(o["Key"] for o in listed if name.search(o["Key"].removeprefix(self._folder)))

    def lines(self, key: str) -> Iterator[str]:
        """A text file's lines, streamed; bytes that are no UTF-8 are replaced."""
        with closing(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"]) as body:
            yield from (line.decode("utf-8", "replace") for line in body.iter_lines())

    def uri(self, key: str) -> str:
        """Where a key lies, as a person would look for it."""
        return f"s3://{self._bucket}/{key}"
