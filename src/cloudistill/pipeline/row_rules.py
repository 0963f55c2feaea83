"""What a vendor refuses in a single row: reserved text, over-long rows, tools it does not take."""

from __future__ import annotations

from collections.abc import Iterator

from cloudistill.core.example import Example
from cloudistill.core.finding import Finding
from cloudistill.core.tokens import Count
from cloudistill.platforms.platform import Model, Platform


class RowRules:
    """The rules of one student, compiled once; `native_tools` tells whether rows hold the vendor's own tool fields."""

    def __init__(self, platform: Platform, model: Model | None, *, native_tools: bool, how: str) -> None:
        self._limits = platform.limits
        self._model = model
        self._native_tools = native_tools
        self._how = how
        reserved = platform.reserved(model) if model else {}
        self._reserved = [(name, text, text.compiled()) for name, text in reserved.items()]

    def broken(self, example: Example, line: str, tokens: Count) -> Iterator[Finding]:
        """Every rule that the row breaks; `line` is its JSON text as it would be sent."""
        yield from self._reserved_text(line)
        yield from self._length(tokens)
        if self._native_tools:
            yield from self._tools(example)

    def uses_tools(self, example: Example) -> bool:
        """Whether the row would hold the vendor's own tool fields."""
        return self._native_tools and bool(example.tools or any(m.tool_calls for m in example.messages))

    def _reserved_text(self, line: str) -> Iterator[Finding]:
        for name, text, pattern in self._reserved:
            if found := pattern.search(line):
                message = f"holds {found[0]!r}, which makes the whole training file fail. Reserved: {text.what}."
                yield Finding(rule=name, message=message, remedy="Reword it, or drop the row.", source=text.source)

    def _length(self, tokens: Count) -> Iterator[Finding]:
        limit = self._model and (self._model.max_tokens_per_example or self._model.context)
        if self._model is None or limit is None or tokens.most <= limit:
            return
        fate = _FATES.get(self._model.over_long or "", "refused")
        sure = tokens.least > limit
        message = (
            f"{'at least' if sure else 'about'} {tokens.least if sure else tokens.likely:,} tokens ({self._how}), "
            f"and rows above {limit:,} are {fate}."
        )
        yield Finding(
            rule="row-too-long" if sure else "row-may-be-too-long",
            message=message,
            remedy="Shorten or split the conversation.",
            source=self._model.source,
            level="error" if sure else "warning",
        )

    def _tools(self, example: Example) -> Iterator[Finding]:
        if self._model is not None and self._model.tools is False and self.uses_tools(example):
            message = f"holds tools, which {self._model.id} does not take in training rows."
            remedy = "Choose another student, or take the tools out."
            yield Finding(rule="tools-not-taken", message=message, remedy=remedy, source=self._model.source)
        most = self._limits.tool_count
        if most is not None and len(example.tools) > most:
            message = f"offers {len(example.tools)} tools; {most} is the most."
            yield Finding(rule="too-many-tools", message=message, remedy="Offer fewer.", source=self._limits.source)


_FATES = {"truncated": "cut at the end, where the answer is", "dropped": "dropped", "fails": "a failure of the job"}
