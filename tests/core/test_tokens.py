"""How many tokens an example has, counted or reckoned."""

from __future__ import annotations

import sys

import pytest

from cloudistill.core.example import Example, Message, Tool, ToolCall
from cloudistill.core.tokens import PER_MESSAGE, counter

HELLO = Example(messages=(Message(role="user", content="hello world"), Message(role="assistant", content="hello")))
TOOL = Tool(
    name="find_order",
    description="Find one order",
    parameters={"type": "object", "properties": {"order_number": {"type": "string", "description": "Its number"}}},
)
CALL = ToolCall(id="c1", name="find_order", arguments={"order_number": "A1234"})


def test_with_a_tokenizer_tokens_are_counted() -> None:
    exact = counter("o200k_base")
    assert "o200k_base" in exact.how
    count = exact.count(HELLO)
    assert count.least == 3  # "hello", " world" and "hello"
    assert count.likely == count.most == 3 + 2 * PER_MESSAGE


def test_text_that_looks_like_a_special_token_is_counted_and_not_refused() -> None:
    odd = Example(messages=(Message(role="user", content="<|endoftext|>"),))
    assert counter("o200k_base").count(odd).least > 1


def test_a_text_longer_than_the_tokenizer_takes_is_counted_in_pieces() -> None:
    long = Example(messages=(Message(role="user", content="word " * 400_000),))
    assert 399_000 < counter("o200k_base").count(long).least < 402_000


@pytest.mark.parametrize("tokenizer", ["o200k_base", None])
def test_calls_and_tools_count_too(tokenizer: str | None) -> None:
    plain = counter(tokenizer).count(HELLO)
    calling = Example(messages=(*HELLO.messages, Message(role="assistant", tool_calls=(CALL,))), tools=())
    offering = Example(messages=HELLO.messages, tools=(TOOL,))
    for richer in (calling, offering):
        count = counter(tokenizer).count(richer)
        assert count.least > plain.least
        assert count.likely > plain.likely


def test_the_words_of_a_tool_are_sure_and_its_json_is_likely() -> None:
    count = counter("o200k_base").count(Example(messages=(), tools=(TOOL,)))
    assert 8 < count.least < count.likely


def test_without_a_public_tokenizer_the_figure_is_called_an_estimate_and_has_bounds() -> None:
    reckoned = counter(None)
    assert "estimate" in reckoned.how
    count = reckoned.count(Example(messages=(Message(role="user", content="x" * 1200),)))
    assert (count.least, count.likely, count.most) == (200, 300 + PER_MESSAGE, 400 + PER_MESSAGE)


def test_bytes_are_reckoned_and_not_characters() -> None:
    latin, greek = (Example(messages=(Message(role="user", content=text * 600),)) for text in ("a", "α"))
    assert counter(None).count(greek).least == 2 * counter(None).count(latin).least


def test_without_the_extra_the_count_is_an_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bpe_openai", None)
    assert "estimate" in counter("o200k_base").how
