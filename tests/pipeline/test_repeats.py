"""Lines that were there before are known, in little memory however many there are."""

from __future__ import annotations

import random
import tracemalloc

from cloudistill.pipeline.repeats import Repeats


def test_a_line_is_told_the_number_of_the_first_like_it() -> None:
    repeats = Repeats()
    lines = [b"one", b"two", b"one", b"three", b"two", b"one"]
    assert [repeats.first(line, number) for number, line in enumerate(lines, 1)] == [1, 2, 1, 4, 2, 1]


def test_a_table_that_has_grown_many_times_knows_what_a_dictionary_knows() -> None:
    repeats, known = Repeats(slots=2), dict[bytes, int]()
    draw = random.Random(7)  # noqa: S311
    for number in range(1, 20_001):
        line = str(draw.randrange(12_000)).encode()
        assert repeats.first(line, number) == known.setdefault(line, number)


def test_a_line_takes_no_more_than_some_fifty_bytes_even_while_the_table_grows() -> None:
    lines = [str(number).encode() for number in range(46_000)]  # it has just grown
    tracemalloc.start()
    try:
        repeats = Repeats()
        for number, line in enumerate(lines, 1):
            repeats.first(line, number)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 54 * len(lines)
