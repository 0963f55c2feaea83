"""A distillation's lessons: the teacher answers each prompt that has no answer yet, and keeps those that have one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cloudistill.emulators.bedrock.prompts import Sifted
from cloudistill.emulators.bedrock.rows import Course, course, question, system_text
from cloudistill.emulators.bedrock.text import Form, tools_in
from cloudistill.emulators.lesson import CHARACTERS_A_TOKEN
from cloudistill.emulators.teacher import Teacher

Row = Mapping[str, Any]


def distilled(sifted: Sifted, teacher: Teacher, most: int | None) -> Course:
    """What the student learns; `most` limits the teacher's answers in tokens, and cuts them."""
    form = Form.of([text for row in sifted.rows if (text := _golden(row))])
    rows = [row if _golden(row) else _answered(row, teacher, form, most) for row in sifted.rows]
    taught = course(rows)
    return Course(taught.lessons, taught.form, tuple(rows), tuple(sifted.verdicts))


def _golden(row: Row) -> str | None:
    """The answer a prompt came with, kept as it is."""
    last = row["messages"][-1]
    return "\n".join(block["text"] for block in last["content"]) if last["role"] == "assistant" else None


def _answered(row: Row, teacher: Teacher, form: Form, most: int | None) -> Row:
    messages: Sequence[Row] = row["messages"]
    tools = tools_in(system_text(row.get("system")))
    reply, _ = teacher.answer(question(messages, tools, in_text=bool(tools)))
    text = form.write(reply)[: most and most * CHARACTERS_A_TOKEN]
    return {**row, "messages": [*messages, {"role": "assistant", "content": [{"text": text}]}]}
