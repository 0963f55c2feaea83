"""The AWS next to the emulated Bedrock: S3, STS and IAM by moto, and what Bedrock itself reads and writes there."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, suppress
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.server import ThreadedMotoServer

from cloudistill.emulators import recording
from cloudistill.emulators.bedrock.models import EAST, WEST
from cloudistill.emulators.bedrock.shapes import invalid

ACCESS_KEY, SECRET_KEY = "AKIAEMULATEDBEDROCK1", "emulated-and-secret-to-nobody"
BUCKETS = {region: f"cloudistill-emulated-{region}" for region in (EAST, WEST)}
ROLE = "AmazonBedrockCloudistill"
WRITE_CHECK = ".write_access_check_file.tmp"


class Storage:
    """moto on loopback, with a bucket in each tuning region and a role that Bedrock may assume.

    moto keeps one account per process: it is emptied when the first `Storage` starts, and shared by those beside it.
    """

    _running = 0
    _counting = threading.Lock()

    def __init__(self) -> None:
        self._server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        self.url = ""
        self.role_arn = ""
        self._s3: Any = None
        self._iam: Any = None
        self._started = ExitStack()

    def start(self) -> None:
        """Serve an empty AWS account that has the buckets and the role."""
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server.start()
        self._started.callback(self._server.stop)
        served: Any = vars(self._server)["_server"]
        served.app = recording.Wsgi(served.app, recording.label("aws"))
        host, port = self._server.get_host_and_port()
        self.url = f"http://{host}:{port}"
        with self._counting:
            if not Storage._running:
                _reset(host, port)
            Storage._running += 1
        self._started.callback(self._leave)
        session: Any = boto3.Session(ACCESS_KEY, SECRET_KEY, region_name=EAST)
        settings: dict[str, Any] = {"endpoint_url": self.url, "config": Config(proxies={})}
        self._s3, self._iam = session.client("s3", **settings), session.client("iam", **settings)
        for client in (self._s3, self._iam):
            self._started.callback(client.close)
        self._s3.create_bucket(Bucket=BUCKETS[EAST])
        west = session.client("s3", region_name=WEST, **settings)
        with suppress(west.exceptions.BucketAlreadyOwnedByYou):
            west.create_bucket(Bucket=BUCKETS[WEST], CreateBucketConfiguration={"LocationConstraint": WEST})
        west.close()
        with suppress(self._iam.exceptions.EntityAlreadyExistsException):
            self._iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=json.dumps(_trust()))
        self.role_arn = self._iam.get_role(RoleName=ROLE)["Role"]["Arn"]

    def stop(self) -> None:
        """Close the clients and the port, as far as it was started."""
        self._started.close()

    def _leave(self) -> None:
        with self._counting:
            Storage._running -= 1

    def check_role(self, arn: str) -> None:
        """Refuse a role that does not exist or does not trust Bedrock."""
        try:
            role = self._iam.get_role(RoleName=arn.rpartition("/")[2])["Role"]
        except ClientError:
            role = {"Arn": None}
        if role["Arn"] != arn or "bedrock.amazonaws.com" not in json.dumps(role["AssumeRolePolicyDocument"]):
            raise invalid(f"Could not assume provided IAM role: {arn}. Check its trust relationship and try again")

    def check_readable(self, uri: str, region: str) -> None:
        """Refuse an object that is missing, or whose bucket is missing or lies in another region than the job."""
        bucket, key = split(uri)
        if not key or key.endswith("/"):
            raise invalid(
                "Invalid training input data configuration. Check the input data S3 Uris (Uri should be a file, "
                "not a directory) and retry request"
            )
        try:
            found = self._region(bucket) == region and self._s3.head_object(Bucket=bucket, Key=key)
        except ClientError:
            found = False
        if not found:
            raise invalid(f"Could not validate GetObject permissions to access Amazon S3 bucket: {bucket} at key {key}")

    def check_writable(self, uri: str, region: str) -> None:
        """Write and remove the probe file that Bedrock leaves under an output prefix."""
        bucket, key = split(uri)
        probe = _join(key, WRITE_CHECK)
        try:
            if self._region(bucket) == region:
                self._s3.put_object(Bucket=bucket, Key=probe, Body=b"")
                self._s3.delete_object(Bucket=bucket, Key=probe)
                return
        except ClientError:
            pass
        raise invalid(
            f"Amazon S3 perms missing (PutObject): Could not validate PutObject permissions to access S3 bucket: "
            f"{bucket} at key {probe}"
        )

    def read(self, uri: str) -> bytes | None:
        """The object, or None where it is gone."""
        bucket, key = split(uri)
        try:
            return bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError:
            return None

    def check_listable(self, uri: str, region: str) -> None:
        """Refuse a prefix that holds nothing, or whose bucket is missing or lies in another region than the job."""
        bucket, prefix = split(uri)
        try:
            found = self._region(bucket) == region and any(True for _ in self._keys(bucket, prefix))
        except ClientError:
            found = False
        if not found:
            raise invalid(f"Could not validate ListBucket permissions to access Amazon S3 bucket: {bucket} at {prefix}")

    def read_all(self, uri: str) -> Iterator[tuple[str, bytes]]:
        """Key and content of every object under a prefix; nothing where the bucket is gone."""
        bucket, prefix = split(uri)
        try:
            for key in self._keys(bucket, prefix):
                yield key, bytes(self._s3.get_object(Bucket=bucket, Key=key)["Body"].read())
        except ClientError:
            return

    def _keys(self, bucket: str, prefix: str) -> Iterator[str]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from (found["Key"] for found in page.get("Contents", ()))

    def write(self, uri: str, job: str, files: Mapping[str, str]) -> None:
        """What a finished job leaves in its folder under an output prefix."""
        bucket, prefix = split(uri)
        folder = _join(prefix, f"model-customization-job-{job}")
        try:
            for name, body in files.items():
                self._s3.put_object(Bucket=bucket, Key=f"{folder}/{name}", Body=body.encode())
        except ClientError:
            logging.getLogger(__name__).warning("the output bucket %r is gone: no results written", bucket)

    def _region(self, bucket: str) -> str:
        """Where a bucket lies: moto answers 200 from any region, so only the header tells."""
        answer = self._s3.head_bucket(Bucket=bucket)
        return str(answer["ResponseMetadata"]["HTTPHeaders"]["x-amz-bucket-region"])


def split(uri: str) -> tuple[str, str]:
    """Bucket and key of an `s3://` URI."""
    parts = urlsplit(uri)
    return parts.netloc, parts.path.removeprefix("/")


def _join(prefix: str, name: str) -> str:
    return f"{prefix.rstrip('/')}/{name}" if prefix else name


def _trust() -> dict[str, Any]:
    principal = {"Service": "bedrock.amazonaws.com"}
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}],
    }


def _reset(host: str, port: int) -> None:
    connection = http.client.HTTPConnection(host, port)
    connection.request("POST", "/moto-api/reset")
    connection.getresponse().read()
    connection.close()
