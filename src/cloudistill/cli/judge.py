"""Commands that ask models: chat."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from cloudistill.cli.data import RenderingFlag
from cloudistill.cli.output import JsonFlag, out, plain, say, show
from cloudistill.core.errors import UsageError


def chat(
    model: Annotated[str, typer.Argument(help="Any model of any platform, platform:id; a student as `show` names it.")],
    text: Annotated[str | None, typer.Argument(help="What the user says.")] = None,
    system: Annotated[str | None, typer.Option(help="A system message.")] = None,
    tools: Annotated[
        Path | None, typer.Option(help="A JSON file: a list of OpenAI tools, or an object with a `tools` list.")
    ] = None,
    messages: Annotated[
        Path | None, typer.Option(help="A JSON file: a list of OpenAI messages, or an object with `messages`.")
    ] = None,
    max_tokens: Annotated[int | None, typer.Option(min=1, help="The answer's limit.")] = None,
    temperature: Annotated[float | None, typer.Option(min=0, help="As the vendor takes it.")] = None,
    rendering: RenderingFlag = None,
    as_json: JsonFlag = False,
) -> None:
    """One call to any model; a student is called as it was trained."""
    from cloudistill.pipeline import verbs

    answer = verbs.chat(
        model,
        text,
        system=system,
        messages=_listed(messages, "messages"),
        tools=_listed(tools, "tools"),
        max_tokens=max_tokens,
        temperature=temperature,
        rendering=rendering,
    )
    calls = [{"id": call.id, "name": call.name, "arguments": call.arguments} for call in answer.tool_calls]
    document = {
        "model": model,
        "content": answer.content,
        "tool_calls": calls,
        "finish_reason": answer.finish_reason,
        "usage": {"input_tokens": answer.usage.input_tokens, "output_tokens": answer.usage.output_tokens},
        "request_id": answer.request_id,
    }
    show(document, as_json)
    if not as_json:
        if answer.content:
            out.print(plain(answer.content))
        for call in calls:
            out.print(plain(f"{call['name']}({json.dumps(call['arguments'], ensure_ascii=False)})"))
        if answer.cut_off:
            say(f"the answer was cut off ({answer.finish_reason}); raise --max-tokens", "yellow")


def _listed(path: Path | None, key: str) -> list[Any]:
    """The list in a JSON file: the file itself, or its member `key` (so that a training row can be given)."""

    if path is None:
        return []
    try:
        value: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{str(path)!r} is not a JSON file that can be read: {error}") from error
    listed: Any = cast("dict[str, Any]", value).get(key) if isinstance(value, dict) else value
    if not isinstance(listed, list):
        raise UsageError(f"{str(path)!r} holds neither a list nor an object with a list {key!r}")
    rows = cast("list[Any]", listed)
    if wrong := [row for row in rows if not isinstance(row, dict)]:
        raise UsageError(f"{str(path)!r}: {wrong[0]!r} is not one of OpenAI's {key}: each is an object")
    return rows


COMMANDS = {"chat": chat}
