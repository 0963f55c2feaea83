"""Converse: which model an id means, what it may be asked, and what it answers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from cloudistill.emulators.bedrock import models
from cloudistill.emulators.bedrock.control import Control
from cloudistill.emulators.bedrock.conversation import check
from cloudistill.emulators.bedrock.jobs import CustomModel
from cloudistill.emulators.bedrock.models import FoundationModel
from cloudistill.emulators.bedrock.rows import offered, question, system_text
from cloudistill.emulators.bedrock.shapes import Refused, invalid
from cloudistill.emulators.bedrock.text import Form, as_object, listed, tools_in
from cloudistill.emulators.lesson import CHARACTERS_A_TOKEN, Call, Question, Reply, tokens
from cloudistill.emulators.server import ANSWERED_BY
from cloudistill.emulators.teacher import STUDENT, Teacher

Said = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model ready to answer: its base, what it says and who that is, and the form of its calls as text."""

    base: FoundationModel
    answer: Callable[[Question], tuple[Reply, str]]
    form: Form
    in_text: bool


class Runtime:
    """bedrock-runtime over the control plane's records."""

    def __init__(self, control: Control, teacher: Teacher) -> None:
        self._control = control
        self._teacher = teacher

    def converse(self, region: str, said: Said) -> tuple[dict[str, Any], dict[str, str]]:
        """The answer and its headers. Raises `Refused`."""
        begun = time.monotonic()
        speaker = self._speaker(region, said["modelId"])
        check(said, speaker.base)
        reply, who = speaker.answer(_asked(said, speaker))
        content = _content(reply, speaker, said)
        stop = "tool_use" if any("toolUse" in block for block in content) else "end_turn"
        content, stop = _limited(content, stop, said.get("inferenceConfig", {}))
        usage = {
            "inputTokens": _tokens([said.get("system"), said.get("messages"), said.get("toolConfig")]),
            "outputTokens": _tokens(content),
        }
        body = {
            "output": {"message": {"role": "assistant", "content": content}},
            "stopReason": stop,
            "usage": usage | {"totalTokens": sum(usage.values())},
            "metrics": {"latencyMs": round((time.monotonic() - begun) * 1000)},
        }
        return body, {ANSWERED_BY: who}

    def _speaker(self, region: str, identifier: str) -> Speaker:
        if ":custom-model-deployment/" in identifier:
            deployment = self._control.deployment(region, identifier)
            status = deployment.status(self._control.clock.now())
            if status == "Deleting":
                raise Refused("ResourceNotFoundException", f"The deployment {identifier} is being deleted.")
            if status != "Active":
                raise Refused(
                    "ModelNotReadyException", "The model specified in the request is not ready to serve requests."
                )
            return _student(deployment.model)
        return Speaker(self._base(region, identifier), self._teacher.answer, Form(), in_text=False)

    def _base(self, region: str, identifier: str) -> FoundationModel:
        now = self._control.clock.now()
        if models.ended(identifier, now):
            raise Refused("ResourceNotFoundException", "This model version has reached the end of its life.")
        profile = identifier.removeprefix(f"arn:aws:bedrock:{region}:{models.ACCOUNT}:inference-profile/")
        if profile.startswith("us."):
            base = models.find(profile.removeprefix("us."), region, now)
            if base and region in base.profile:
                return base
        base = models.find(identifier, region, now)
        if base is None:
            raise invalid("The provided model identifier is invalid.")
        if region not in base.on_demand:
            raise invalid(
                f"Invocation of model ID {identifier} with on-demand throughput isn\u2019t supported. Retry your "
                "request with the ID or ARN of an inference profile that contains this model."
            )
        return base


def _student(model: CustomModel) -> Speaker:
    def answer(asked: Question) -> tuple[Reply, str]:
        return model.student.answer(asked), STUDENT

    form = model.course.form
    return Speaker(model.job.base, answer, form or Form(), in_text=form is not None)


def _asked(said: Said, speaker: Speaker) -> Question:
    """Tools come from toolConfig; a text student, and a base without a toolConfig, read them in the system text."""
    configured, written = offered(said.get("toolConfig")), tools_in(system_text(said.get("system")))
    in_text = bool(written) and (speaker.in_text or not configured)
    choice = said.get("toolConfig", {}).get("toolChoice", {}).get("tool", {}).get("name")
    tools = tuple(tool for tool in (written if in_text else configured) if choice in {None, tool.name})
    return question(said["messages"], tools, in_text=in_text)


def _content(reply: Reply, speaker: Speaker, said: Said) -> list[dict[str, Any]]:
    if speaker.in_text or "toolConfig" not in said:
        return [{"text": speaker.form.write(reply)}]
    blocks: list[dict[str, Any]] = [{"text": reply.text}] if reply.text or not reply.calls else []
    return [*blocks, *({"toolUse": _use(call)} for call in reply.calls)]


def _use(call: Call) -> dict[str, Any]:
    return {"toolUseId": f"tooluse_{uuid4().hex[:22]}", "name": call.name, "input": call.arguments}


def _limited(content: list[dict[str, Any]], stop: str, limits: Mapping[str, Any]) -> tuple[list[dict[str, Any]], str]:
    """The answer cut at a stop sequence or at maxTokens; a tool call that is cut is no call any more."""
    if "text" in content[0]:
        text = str(content[0]["text"])
        cuts = [place for word in limits.get("stopSequences", ()) if (place := text.find(word)) >= 0]
        if cuts:
            return [{"text": text[: min(cuts)]}], "stop_sequence"
    most = limits.get("maxTokens")
    if most is None or _tokens(content) <= most:
        return content, stop
    return [{"text": content[0].get("text", "")[: most * CHARACTERS_A_TOKEN]}], "max_tokens"


def _tokens(said: Any) -> int:
    """About how many tokens are in every string of a JSON value."""
    return tokens("".join(_strings(said)))


def _strings(said: Any) -> Sequence[str]:
    if isinstance(said, dict):
        return [text for pair in as_object(said).items() for part in pair for text in _strings(part)]
    if isinstance(said, list):
        return [text for part in listed(said) for text in _strings(part)]
    return [] if said is None else [str(said)]
