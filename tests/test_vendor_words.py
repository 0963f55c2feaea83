"""A vendor is named in its own column; whoever else names one says here why."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOM = Path(__file__).parents[1] / "src" / "cloudistill"
COLUMNS = re.compile(
    r"(backends|emulators)/(openai|bedrock|vertex)/"
    r"|platforms/(openai|bedrock|vertex)\.toml"
    r"|formats/((openai|bedrock|gemini)_\w+|tools_as_text)\.py"
)
"""Where a vendor is at home."""

WORDS = re.compile(
    r"(?<![a-z0-9])(?:openai|azure|gpt-?\d|bedrock|amazon|aws|arn:|boto|s3(?![0-9])|nova|vertex|gemini|google|gcp|gcs|gs:"
    r"|llama|claude|anthropic)",
    re.IGNORECASE,
)
EXCEPTIONS = {
    "__init__.py": "says in one sentence what the package is for, as its readers would search for it",
    "cli/app.py": "the help says in one sentence what the command is for",
    "cli/data.py": "the help names the formats that can be read and written",
    "cli/distil.py": "the help says which vendor takes a flag that not all of them take",
    "cli/judge.py": "messages and tools are read in OpenAI's spelling, which people have at hand",
    "cli/trying.py": "starts the emulators of our three vendors, and says what their SDKs need",
    "core/tokens.py": "imports the package bpe_openai, which is called so",
    "demo/corpus.py": "writes the demo's lessons in OpenAI's spelling",
    "demo/story.py": "distils on our three vendors: that is the story",
    "emulators/chat_lines.py": "reads the teacher's key, which is in OpenAI's spelling, for every emulator",
    "emulators/recording.py": "strikes out what each vendor's requests hold of credentials",
    "emulators/world.py": "starts our three vendors together, each only when it is asked for",
    "formats/dataset.py": "a row that fits either rendering of bedrock-conversation settles neither",
    "formats/normal_schema.py": "is the schema that Gemini takes, for all who write Gemini's rows",
    "formats/plain_schema.py": "reads the schemas that are Gemini's already",
    "formats/normalisations.py": "lists for every format what a round trip changes, in one place",
    "formats/registry.py": "knows all formats by name, and by their rows",
    "formats/turns.py": "tells which format carries what the others cannot",
    "pipeline/questions.py": "takes messages and tools in OpenAI's spelling, which people have at hand",
    "pipeline/verbs.py": "its docstring says that messages and tools may be in OpenAI's spelling",
}
"""Files outside every column that name a vendor, and why they must."""


def named_in(text: str) -> set[str]:
    return {word.lower() for word in WORDS.findall(text)}


def outside() -> dict[str, set[str]]:
    """The vendors' words in each file that is in no vendor's column."""
    files = (path for path in ROOM.rglob("*") if path.suffix in {".py", ".toml", ".j2"})
    found = {path.relative_to(ROOM).as_posix(): named_in(path.read_text("utf-8")) for path in files}
    return {name: words for name, words in found.items() if words and not COLUMNS.match(name)}


def test_a_vendor_is_named_in_its_own_column_alone() -> None:
    strangers = {name: sorted(words) for name, words in outside().items() if name not in EXCEPTIONS}
    assert not strangers, "name no vendor there, or say in EXCEPTIONS why it must be"


def test_every_exception_is_still_needed_and_says_why() -> None:
    assert not EXCEPTIONS.keys() - outside().keys(), "these name no vendor any more: take them out"
    assert all(len(why.split()) > 3 for why in EXCEPTIONS.values())


def test_there_are_few_exceptions() -> None:
    everything = sum(1 for path in ROOM.rglob("*.py") if not COLUMNS.match(path.relative_to(ROOM).as_posix()))
    assert len(EXCEPTIONS) < everything / 3


@pytest.mark.parametrize("text", ["OpenAI's", "bedrock_reading", "(AWS)", "s3://x", "GEMINI", "gpt-4.1", "vertexai"])
def test_a_word_is_found_however_it_is_written(text: str) -> None:
    assert named_in(text)


@pytest.mark.parametrize("text", ["innovation", "laws", "args3", "vortex", "messages", "draws a conclusion", "s30"])
def test_other_words_are_left_alone(text: str) -> None:
    assert not named_in(text)
