"""Base models that answer as teachers: from a key given at start, with planted faults, saying so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from cloudistill.emulators.chat_lines import lessons
from cloudistill.emulators.lesson import Call, Question, Reply


@dataclass
class Teacher:
    """Answers questions it has the key to; any other question gets None, and the base model answers by itself."""

    key: dict[str, Reply] = field(default_factory=dict[str, Reply])
    faults: float = 0.0
    note: str = "no key: base models answer by themselves, untrained"

    @classmethod
    def read(cls, path: Path | None, *, faults: float = 0.0) -> Teacher:
        """The key in `path`, OpenAI-chat JSONL; without one every question is unknown."""
        if path is None:
            return cls()
        rows = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())
        key = {_digest(lesson.question): lesson.reply for row in rows for lesson in lessons(row)}
        note = f"answers {len(key)} known questions from {path.name}, {faults:.0%} of them spoilt on purpose"
        return cls(key, faults, note)

    def answer(self, question: Question) -> Reply | None:
        """The key's answer, spoilt if this question drew a fault, or None."""
        digest = _digest(question)
        reply = self.key.get(digest)
        return reply if reply is None or int(digest[:8], 16) / 2**32 >= self.faults else _spoilt(reply)


def _digest(question: Question) -> str:
    said = json.dumps([question.text, question.context, question.results], ensure_ascii=False)
    return hashlib.sha256(said.encode()).hexdigest()


def _spoilt(reply: Reply) -> Reply:
    """The systematic fault: arguments are lower-cased, text is cut in half."""
    calls = tuple(
        Call(call.name, {k: v.lower() if isinstance(v, str) else v for k, v in call.arguments.items()})
        for call in reply.calls
    )
    return replace(reply, text=reply.text[: len(reply.text) // 2], calls=calls)
