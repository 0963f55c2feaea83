"""Reserved text is found where its regular expression finds it, the quick way or the slow one."""

from __future__ import annotations

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudistill.core.jsonl import dump
from cloudistill.pipeline.row_rules import Search
from cloudistill.platforms.platform import ReservedText, load, names

PLAIN = ("System:", "uSer:", "a<|end|>", "[eos]", "<IMAGE>", "<unk", ">", "bot", ":")
ODD = ("\u017fystem:", "a\u017f\u017f\u0131stant:", "ass\u0130stant:", "<un\u212a>", "…", "é")
KNOWN = [text for platform in sorted(names()) for text in load(platform).reserved_words.values()]


def reserved(pattern: str, *, ignore_case: bool = True) -> ReservedText:
    return ReservedText(
        pattern=pattern, ignore_case=ignore_case, what="words", source="https://x.org", checked=date(2026, 11, 24)
    )


@given(st.lists(st.sampled_from((*PLAIN, *ODD)) | st.text(max_size=4), max_size=8).map("".join))
def test_whatever_the_row_says_the_same_is_found_as_by_the_expression_alone(said: str) -> None:
    line = dump({"content": said}) if said.isprintable() else said.encode(errors="replace")
    for text in KNOWN:
        found = text.compiled().search(line.decode())
        assert Search(text)(line) == (found[0] if found else None)


@pytest.mark.parametrize("pattern", [r"a.c", r"x+", r"one|t[wo]", r"\d:", r"(a|b)", r"\bword"])
def test_an_expression_that_is_not_plain_words_is_searched_as_it_is(pattern: str) -> None:
    said = "abc x xx ONE tw 3: word"
    found = re.search(pattern, said, re.IGNORECASE)
    assert found
    assert Search(reserved(pattern))(said.encode()) == found[0]


def test_case_matters_unless_it_is_to_be_ignored() -> None:
    assert Search(reserved("Stop:|End:", ignore_case=False))(b"stop: end:") is None
    assert Search(reserved("Stop:|End:", ignore_case=False))(b"a End: b") == "End:"
    assert Search(reserved("Stop:|End:"))(b"a END: b") == "END:"


def test_no_other_letter_outside_ascii_counts_as_one_inside_where_case_is_ignored() -> None:
    letter = re.compile("[a-z]", re.IGNORECASE)
    odd = [chr(code) for code in range(128, 0x110000) if letter.fullmatch(chr(code))]
    for character in odd:
        word = reserved("".join(letter for letter in "isk" if re.fullmatch(letter, character, re.IGNORECASE)) + ":|x:")
        assert Search(word)(f"{character}:".encode()) == f"{character}:"
    assert len(odd) == 4
