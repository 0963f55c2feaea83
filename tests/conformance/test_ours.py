"""Our own backends, platforms and formats keep the promises that plug-ins are held to."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudistill.conformance import (
    AnswersPromises,
    CheckpointsPromises,
    DeletesPromises,
    DeploysPromises,
    DistilsPromises,
    FormatPromises,
    OffersPromises,
    PausesPromises,
    PlatformPromises,
    RemembersPromises,
    ReportsPromises,
    Subject,
    TrainsPromises,
)
from tests.conformance.subjects import BedrockSubject, Emulated, OpenAISubject, VertexSubject


class TestOpenAI(
    ReportsPromises,
    CheckpointsPromises,
    PausesPromises,
    DeletesPromises,
    OffersPromises,
    TrainsPromises,
    AnswersPromises,
):
    @pytest.fixture
    def subject(self, ours: Callable[[type[Emulated]], Emulated]) -> Subject:
        return ours(OpenAISubject)


class TestBedrock(
    DeploysPromises,
    DistilsPromises,
    ReportsPromises,
    DeletesPromises,
    OffersPromises,
    RemembersPromises,
    TrainsPromises,
    AnswersPromises,
):
    # AWS is sent a signature, never the key
    test_a_key_that_the_vendor_repeats_is_struck_out = None  # pyright: ignore[reportAssignmentType]

    @pytest.fixture
    def subject(self, ours: Callable[[type[Emulated]], Emulated]) -> Subject:
        return ours(BedrockSubject)


class TestVertex(
    DistilsPromises,
    ReportsPromises,
    CheckpointsPromises,
    DeletesPromises,
    TrainsPromises,
    AnswersPromises,
):
    @pytest.fixture
    def subject(self, ours: Callable[[type[Emulated]], Emulated]) -> Subject:
        return ours(VertexSubject)


class TestOpenAIFacts(PlatformPromises):
    platform = "openai"


class TestBedrockFacts(PlatformPromises):
    platform = "bedrock"


class TestVertexFacts(PlatformPromises):
    platform = "vertex"


class TestOpenAIChat(FormatPromises):
    format = "openai-chat"


class TestToolsAsText(FormatPromises):
    format, rendering = "bedrock-conversation", "text"


class TestToolConfig(FormatPromises):
    format, rendering = "bedrock-conversation", "tool-config"


class TestGeminiContents(FormatPromises):
    format = "gemini-contents"
