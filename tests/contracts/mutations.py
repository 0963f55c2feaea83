"""Mistakes to plant into a good conversation, each with a name: the judge must find every one."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from tests.contracts.contract import Operation

from cloudistill.emulators.recording import Exchange

Path = Sequence[str | int]
Edit = Callable[[Exchange], Exchange]
GONE = object()
"""In place of a value: the member is left out."""
JOB, JOBS = "openai retrieveFineTuningJob", "openai createFineTuningJob"
CHAT, FILE = "openai createChatCompletion", "openai createFile"
AWS_JOB, AWS_JOBS, CONVERSE = (
    "bedrock GetModelCustomizationJob",
    "bedrock CreateModelCustomizationJob",
    "bedrock-runtime Converse",
)
TUNING = "vertex aiplatform.projects.locations.tuningJobs"
V_JOB, V_JOBS = f"{TUNING}.get (v1beta1)", f"{TUNING}.create (v1beta1)"
ASK = "vertex aiplatform.projects.locations.endpoints.generateContent (v1beta1)"


@dataclass(frozen=True)
class Mutation:
    """A mistake: in which operation's exchange it is made, in which of them (those that `hold` a text), and how."""

    name: str
    operation: str
    edit: Edit
    holds: bytes = b""
    which: int = 0

    def fits(self, operation: Operation | None, exchange: Exchange) -> bool:
        """Whether this is such an exchange."""
        named = operation is not None and operation.key == self.operation
        return named and (self.holds in exchange.answer or self.holds in exchange.body)


def sent(*path: str | int, to: Any = GONE) -> Edit:
    """Change a member of the JSON that was sent."""
    return lambda exchange: replace(exchange, body=_edited(exchange.body, path, to))


def said(*path: str | int, to: Any = GONE) -> Edit:
    """Change a member of the JSON that was answered."""
    return lambda exchange: replace(exchange, answer=_edited(exchange.answer, path, to))


def _edited(raw: bytes, path: Path, value: Any) -> bytes:
    document: Any = json.loads(raw)
    node = document
    for step in path[:-1]:
        node = node[step]
    if value is GONE:
        del node[path[-1]]
    else:
        node[path[-1]] = value
    return json.dumps(document).encode()


def swap(member: str, old: bytes, new: bytes) -> Edit:
    """Put other bytes in a body or an answer."""

    def edit(exchange: Exchange) -> Exchange:
        raw: bytes = getattr(exchange, member)
        assert old in raw, f"{old!r} is not in {raw[:300]!r}"
        return replace(exchange, **{member: raw.replace(old, new, 1)})

    return edit


def put(**members: Any) -> Edit:
    """Replace members of the exchange itself."""
    return lambda exchange: replace(exchange, **members)


def header(name: str, value: str | None, *, answer: bool = False) -> Edit:
    """Replace one header, or leave it out."""
    member = "answer_headers" if answer else "headers"

    def edit(exchange: Exchange) -> Exchange:
        headers = {key: said for key, said in getattr(exchange, member).items() if key != name}
        return replace(exchange, **{member: headers | ({name: value} if value is not None else {})})

    return edit


def _openai() -> Iterator[Mutation]:
    yield Mutation("a path without its version", JOBS, put(path="/fine_tuning/jobs"))
    yield Mutation("an order of the wrong type", JOBS, sent("training_file", to=7))
    yield Mutation("an order with an unknown member", JOBS, sent("epochs", to=3))
    yield Mutation("an order without its model", JOBS, sent("model"))
    yield Mutation("a method nobody has", JOBS, sent("method", to={"type": "guess"}))
    yield Mutation("a suffix too long", JOBS, sent("suffix", to="x" * 65))
    yield Mutation("metadata that is no text", JOBS, sent("metadata", "run", to=1), holds=b"metadata")
    yield Mutation("a seed below zero", JOBS, sent("seed", to=-1))
    yield Mutation("an order that is no JSON", JOBS, put(body=b"{"))
    yield Mutation("an order of another content type", JOBS, header("content-type", "text/plain"))
    yield Mutation("an unknown query", "openai listPaginatedFineTuningJobs", put(query="page=2"))
    yield Mutation("a limit that is no number", "openai listPaginatedFineTuningJobs", put(query="limit=many"))
    yield Mutation("a file for no purpose", FILE, swap("body", b"\r\n\r\nfine-tune", b"\r\n\r\nfine-tuning"))
    yield Mutation("a form without a file", FILE, swap("body", b'name="file"', b'name="data"'))
    yield Mutation("a chat without messages", CHAT, sent("messages"))
    yield Mutation("a role nobody has", CHAT, sent("messages", 0, "role", to="boss"))
    yield Mutation("a tool without a name", CHAT, sent("tools", 0, "function", "name"))
    yield Mutation("a temperature too high", CHAT, sent("temperature", to=3))
    yield Mutation("a body with a read", JOB, put(body=b"{}"))
    yield Mutation("a job answered with an unknown member", JOB, said("progress", to=0.5))
    yield Mutation("a job answered without its status", JOB, said("status"))
    yield Mutation("a job in a status nobody has", JOB, said("status", to="done"))
    yield Mutation("a creation time that is text", JOB, said("created_at", to="today"))
    yield Mutation("a creation time that changed", JOB, said("created_at", to=1), which=1)
    yield Mutation("a base model that changed", JOB, said("model", to="gpt-4o"), which=1)
    yield Mutation("another id than was asked for", JOB, said("id", to="ftjob-other"))
    yield Mutation("a success without a model", JOB, said("fine_tuned_model", to=None), holds=b'"succeeded"')
    yield Mutation("a failure without an error", JOB, said("error", to={}), holds=b'"failed"')
    yield Mutation("a success that runs again", JOB, said("status", to="running"), holds=b'"succeeded"', which=1)
    yield Mutation("a cancelled job that succeeds", JOB, said("status", to="running"), holds=b'"cancelled"')
    yield Mutation("an event of a type nobody has", "openai listFineTuningEvents", said("data", 0, "type", to="gossip"))
    yield Mutation("a file of another size", FILE, said("bytes", to=1))
    yield Mutation("a file's bytes that differ", "openai downloadFile", swap("answer", b"Oslo", b"Lima"))
    yield Mutation("an upload whose parts are mixed", "openai completeUpload", sent("part_ids", 0, to="part_other"))
    yield Mutation("another upload than was completed", "openai completeUpload", said("id", to="upload_other"))
    yield Mutation("a completed upload without its file", "openai completeUpload", said("file", to=None))
    yield Mutation("a finish reason nobody has", CHAT, said("choices", 0, "finish_reason", to="tired"))
    yield Mutation("an answer without usage's total", CHAT, said("usage", "total_tokens"))
    yield Mutation("a stream without its end", CHAT, swap("answer", b"data: [DONE]", b""), holds=b"[DONE]")
    yield Mutation(
        "a chunk with an unknown member", CHAT, swap("answer", b'data: {"', b'data: {"x":1,"'), holds=b"[DONE]"
    )
    yield Mutation(
        "a refusal in another shape", "openai retrieveFile", put(answer=b'{"message":"no"}'), holds=b'"error"'
    )
    yield Mutation("a refusal by breaking", JOB, put(status=500, answer=b'{"error":{}}'))
    yield Mutation("a status nobody announced", JOB, put(status=206))
    yield Mutation("a page of HTML", JOB, put(answer=b"<html>", answer_headers={"content-type": "text/html"}))


def _aws() -> Iterator[Mutation]:
    yield Mutation("a job name with an underscore", AWS_JOBS, sent("jobName", to="job_1"))
    yield Mutation("a job name too long", AWS_JOBS, sent("jobName", to="x" * 64))
    yield Mutation("a kind of customization nobody has", AWS_JOBS, sent("customizationType", to="MAGIC"))
    yield Mutation("a job without a role", AWS_JOBS, sent("roleArn"))
    yield Mutation("a role of the wrong type", AWS_JOBS, sent("roleArn", to=["x"]))
    yield Mutation("a job with an unknown member", AWS_JOBS, sent("epochs", to=3))
    yield Mutation("a hyperparameter that is a number", AWS_JOBS, sent("hyperParameters", to={"epochCount": 2}))
    yield Mutation("a union of nothing", AWS_JOBS, sent("customizationConfig", to={}))
    yield Mutation("a bad S3 address", AWS_JOBS, sent("trainingDataConfig", "s3Uri", to="s3://b/dt=1/x"))
    yield Mutation("a page of no length", "bedrock ListModelCustomizationJobs", put(query="maxResults=0"))
    yield Mutation("a word of no query", "bedrock ListModelCustomizationJobs", put(query="limit=5"))
    yield Mutation("an order of sorting nobody has", "bedrock ListModelCustomizationJobs", put(query="sortOrder=Down"))
    yield Mutation("a message without content", CONVERSE, sent("messages", 0, "content"))
    yield Mutation(
        "a tool whose schema is two", CONVERSE, sent("toolConfig", "tools", 0, "cachePoint", to={"type": "default"})
    )
    yield Mutation("a job's answer with an unknown member", AWS_JOB, said("progress", to=1))
    yield Mutation("a job's answer without its name", AWS_JOB, said("jobName"))
    yield Mutation("a job's status nobody has", AWS_JOB, said("status", to="Queued"))
    yield Mutation("a job's time that is a number of seconds as text", AWS_JOB, said("creationTime", to="1795510800"))
    yield Mutation("a job's time that changed", AWS_JOB, said("creationTime", to="2026-01-01T00:00:00Z"), which=1)
    yield Mutation("a job's name that changed", AWS_JOB, said("jobName", to="job-9"), which=1)
    yield Mutation(
        "another job than was asked for", AWS_JOB, said("jobArn", to="arn:aws:bedrock:us-east-1:123456789012:x/y")
    )
    yield Mutation("a completed job without a model", AWS_JOB, said("outputModelArn"), holds=b'"Completed"')
    yield Mutation("a failed job without a message", AWS_JOB, said("failureMessage"), holds=b'"Failed"')
    yield Mutation(
        "a completed job that goes on", AWS_JOB, said("status", to="InProgress"), holds=b'"outputModelArn"', which=1
    )
    yield Mutation("a created job with another status code", AWS_JOBS, put(status=200))
    yield Mutation("a stop reason nobody has", CONVERSE, said("stopReason", to="tired"))
    yield Mutation("tokens that are text", CONVERSE, said("usage", "inputTokens", to="5"))
    yield Mutation(
        "a refusal with no known code", "bedrock GetFoundationModel", header("x-amzn-errortype", "Oops", answer=True)
    )
    yield Mutation("a refusal with another status", "bedrock GetFoundationModel", put(status=400))
    yield Mutation(
        "an object whose bytes differ", "s3 GetObject", swap("answer", b"Lisbon", b"Berlin"), holds=b"Lisbon"
    )
    yield Mutation("parts whose bytes differ", "s3 GetObject", put(answer=b"ab"), holds=b"aaaa")
    yield Mutation("a part that was never sent", "s3 CompleteMultipartUpload", swap("body", b">2<", b">3<"))
    yield Mutation("an unknown element", "s3 ListObjectsV2", swap("answer", b"<Name>", b"<Nick/><Name>"))
    yield Mutation("a count that is no number", "s3 ListObjectsV2", swap("answer", b"<KeyCount>", b"<KeyCount>many"))
    yield Mutation("a header nobody knows", "s3 PutObject", header("x-amz-colour", "red"))
    yield Mutation("a length that differs", "s3 HeadObject", header("content-length", "1", answer=True))
    yield Mutation("a tag that is no MD5", "s3 PutObject", header("etag", '"x"', answer=True))
    yield Mutation(
        "a form of another version", "iam GetRole", swap("body", b"Version=2010-05-08", b"Version=2011-06-15")
    )
    yield Mutation("a form without its role", "iam GetRole", swap("body", b"RoleName=", b"Role="))
    yield Mutation(
        "an identity with an unknown element", "sts GetCallerIdentity", swap("answer", b"<Arn>", b"<Nick/><Arn>")
    )


def _google() -> Iterator[Mutation]:
    yield Mutation("a tuning job with an unknown member", V_JOBS, sent("epochs", to=3))
    yield Mutation("a tuning job without its data", V_JOBS, sent("supervisedTuningSpec", "trainingDatasetUri"))
    yield Mutation("labels that are a list", V_JOBS, sent("labels", to=["a"]))
    yield Mutation(
        "epochs that are no number", V_JOBS, sent("supervisedTuningSpec", "hyperParameters", "epochCount", to="two")
    )
    yield Mutation(
        "an adapter nobody has", V_JOBS, sent("supervisedTuningSpec", "hyperParameters", "adapterSize", to="FOUR")
    )
    yield Mutation("a state that is only answered", V_JOBS, sent("state", to="JOB_STATE_FAILED"))
    yield Mutation("distillation where v1 has none", V_JOBS, lambda e: sent("distillationSpec", to={})(_in_v1(e)))
    yield Mutation("a page size that is no number", f"{TUNING}.list (v1beta1)", put(query="pageSize=ten"))
    yield Mutation("a query nobody has", f"{TUNING}.list (v1beta1)", put(query="limit=5"))
    yield Mutation("a question without contents", ASK, sent("contents"))
    yield Mutation("a part with an unknown member", ASK, sent("contents", 0, "parts", 0, "say", to="x"))
    yield Mutation("a temperature that is text", ASK, sent("generationConfig", to={"temperature": "warm"}))
    yield Mutation("a tuning job answered with an unknown member", V_JOB, said("progress", to=1))
    yield Mutation("a number that Google sends as text", V_JOB, _epochs(2))
    yield Mutation("a state nobody has", V_JOB, said("state", to="DONE"))
    yield Mutation("a time in another form", V_JOB, said("createTime", to="24 November"))
    yield Mutation("a creation that moved", V_JOB, said("createTime", to="2026-01-01T00:00:00Z"), which=1)
    yield Mutation("a base that changed", V_JOB, said("baseModel", to="gemini-9"), which=1)
    yield Mutation(
        "another tuning job than was asked for", V_JOB, said("name", to="projects/1/locations/us/tuningJobs/2")
    )
    yield Mutation("a tuned job without a model", V_JOB, said("tunedModel"), holds=b"SUCCEEDED")
    yield Mutation(
        "a cancelled tuning job that runs", V_JOB, said("state", to="JOB_STATE_RUNNING"), holds=b"CANCELLED", which=1
    )
    yield Mutation(
        "a success that is queued again", V_JOB, said("state", to="JOB_STATE_QUEUED"), holds=b"SUCCEEDED", which=1
    )
    yield Mutation("a refusal with another code", V_JOB, said("error", "code", to=400), holds=b"NOT_FOUND")
    yield Mutation(
        "a refusal whose word does not fit", V_JOB, said("error", "status", to="ABORTED"), holds=b"NOT_FOUND"
    )
    yield Mutation("a token without its life", "oauth2 token", said("expires_in"))
    yield Mutation("another way to ask for a token", "oauth2 token", put(body=b"grant_type=password&assertion=x"))
    yield Mutation("an object of another size", "storage storage.objects.insert", said("size", to="1"))
    yield Mutation("an object with another digest", "storage storage.objects.insert", said("md5Hash", to="AAAA"))
    yield Mutation("an object with an unknown member", "storage storage.objects.insert", said("colour", to="red"))
    yield Mutation(
        "bytes that Cloud Storage changed",
        "storage storage.objects.get",
        swap("answer", b"A1000", b"A1001"),
        holds=b"A1000",
    )
    yield Mutation("a method that nobody has", V_JOB, put(method="PUT"))


def _in_v1(exchange: Exchange) -> Exchange:
    return replace(exchange, path=exchange.path.replace("/v1beta1/", "/v1/"))


def _epochs(count: int) -> Edit:
    return said("supervisedTuningSpec", "hyperParameters", "epochCount", to=count)


MUTATIONS = [*_openai(), *_aws(), *_google()]
