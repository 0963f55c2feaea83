"""The tokens of many examples, from a sample of them: the figure is near, and the bounds hold it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cloudistill.core.example import Example, Message
from cloudistill.core.jsonl import dump
from cloudistill.core.tally import WHOLE, Tally, Tokens
from cloudistill.core.tokens import Counter, counter

PLAIN, DENSE = "Where is my parcel, and when does it come? ", "x-7f3/0a9:"


def example(text: str) -> Example:
    return Example(messages=(Message(role="user", content=text),))


def summed(texts: Sequence[str], counting: Counter) -> Tokens:
    sizes = [len(dump(example(text))) for text in texts]
    tally = Tally(counting, expected=sum(sizes))
    for text, size in zip(texts, sizes, strict=True):
        tally.add(example(text), size)
    return tally.tokens()


def counted(texts: Sequence[str], counting: Counter) -> int:
    return sum(counting.count(example(text)).likely for text in texts)


@pytest.mark.parametrize("tokenizer", ["o200k_base", None])
def test_a_short_file_is_counted_whole(tokenizer: str | None) -> None:
    counting = counter(tokenizer)
    counts = [counting.count(example("word " * number)) for number in range(1, WHOLE + 1)]
    tokens = summed(["word " * number for number in range(1, WHOLE + 1)], counting)
    assert tokens.total == sum(count.likely for count in counts)
    assert tokens.least == sum(count.least for count in counts)
    assert tokens.most == sum(count.most for count in counts)
    assert tokens.longest == counts[-1].likely
    assert tokens.how == counting.how


@pytest.mark.parametrize(
    "texts",
    [
        [PLAIN * (1 + number % 17) for number in range(3_000)],
        [(DENSE if number % 3 else PLAIN) * (1 + number % 7) for number in range(3_000)],
        [PLAIN * 3] * 1_500 + [DENSE * 20] * 1_500,
        [DENSE * 20] * 1_500 + [PLAIN * 3] * 1_500,
        [PLAIN * 200 if number % 100 == 99 else "Hello." for number in range(3_000)],
    ],
    ids=["alike", "mixed", "dense last", "dense first", "few long ones"],
)
def test_a_long_files_bounds_hold_what_counting_every_row_gives(texts: list[str]) -> None:
    counting = counter("o200k_base")
    tokens, truth = summed(texts, counting), counted(texts, counting)
    assert tokens.least <= truth <= tokens.most
    assert abs(tokens.total - truth) < truth / 10
    assert tokens.most < truth * 1.3


@pytest.mark.parametrize("expected", [1, 1_000_000_000])
def test_a_wrong_idea_of_the_files_length_costs_time_or_precision_and_no_honesty(expected: int) -> None:
    texts = [(DENSE if number % 3 else PLAIN) * (1 + number % 7) for number in range(1_000)]
    counting = counter("o200k_base")
    tally = Tally(counting, expected=expected)
    for said in map(example, texts):
        tally.add(said, len(dump(said)))
    assert tally.tokens().least <= counted(texts, counting) <= tally.tokens().most


def test_a_long_file_says_how_many_rows_were_counted_and_how_far_off_that_may_be() -> None:
    tokens = summed([(DENSE if number % 3 else PLAIN) * 4 for number in range(1_000)], counter("o200k_base"))
    counted_rows = int(tokens.how.partition("from ")[2].split()[0])
    assert WHOLE < counted_rows < 300
    assert "of 1,000 rows" in tokens.how
    assert float(tokens.how.rpartition(" ")[2].removesuffix("%")) == pytest.approx(
        100 * (tokens.most / tokens.total - 1), abs=0.1
    )


def test_the_same_rows_give_the_same_figure() -> None:
    texts = [DENSE * (1 + number % 11) for number in range(500)]
    assert summed(texts, counter("o200k_base")) == summed(texts, counter("o200k_base"))


def test_the_longest_row_is_counted_wherever_it_stands() -> None:
    texts = ["Hello."] * 900
    texts[700] = PLAIN * 300
    assert summed(texts, counter("o200k_base")).longest == counter("o200k_base").count(example(texts[700])).likely


def test_nothing_has_no_tokens() -> None:
    tokens = Tally(counter("o200k_base"), expected=0).tokens()
    assert (tokens.total, tokens.least, tokens.most, tokens.longest) == (0, 0, 0, 0)


def test_a_figure_says_how_it_was_found() -> None:
    tokens = summed(["hello world"], counter("o200k_base"))
    assert f"{tokens.total:,} tokens" in str(tokens)
    assert "o200k_base" in str(tokens)
