"""Base models that answer as teachers: from a key given at start, with planted faults, saying so."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
from pathlib import Path

from cloudistill.emulators.chat_lines import lessons
from cloudistill.emulators.learner import Untrained
from cloudistill.emulators.lesson import Call, Question, Reply

KEY, UNTRAINED, STUDENT = "teacher-key", "untrained", "student"
"""Who answered, as the header says it."""


@dataclass
class Teacher:
    """The base models' mind: it answers questions it has the key to, and any other as the untrained learner does."""

    key: dict[str, Reply] = field(default_factory=dict[str, Reply])
    faults: float = 0.0
    note: str = "no key: base models answer by themselves, untrained"

    @classmethod
    def read(cls, path: Path | None, *, faults: float = 0.0) -> Teacher:
        """The key in `path`, JSON Lines as `chat_lines` reads them; without one every question is unknown."""
        if path is None:
            return cls()
        rows = (json.loads(line) for line in path.read_text("utf-8").splitlines() if line.strip())
        key = {_digest(lesson.question): lesson.reply for row in rows for lesson in lessons(row)}
        note = f"answers {len(key)} known questions from {path.name}, {faults:.0%} of them spoilt on purpose"
        return cls(key, faults, note)

    def answer(self, question: Question) -> tuple[Reply, str]:
        """The reply, and who gave it: the key, of which only calls of tools on offer are said, or the untrained."""
        known = self._known(_digest(question))
        names = {tool.name for tool in question.tools}
        said = replace(known, calls=tuple(call for call in known.calls if call.name in names))
        return (said, KEY) if said.text or said.calls else (Untrained().answer(question), UNTRAINED)

    def _known(self, digest: str) -> Reply:
        """The key's answer, spoilt if this question drew a fault; empty if it has none."""
        reply = self.key.get(digest, Reply())
        return _spoilt(reply) if int(digest[:8], 16) / 2**32 < self.faults else reply


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
