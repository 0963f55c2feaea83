"""The emulated OpenAI's negative space: whatever Schemathesis makes of the document is answered, or refused in form."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from tests.contracts.openai_document import OpenAIDocument, carried
from tests.contracts.operations import OPERATIONS

from cloudistill.emulators import World, emulate

pytestmark = pytest.mark.sends_bad_requests
SERVED = sorted(name.removeprefix("openai ") for name in OPERATIONS if name.startswith("openai "))
OPENAPI: Any = schemathesis.openapi.from_dict(OpenAIDocument(carried()).document)
SCHEMA: Any = OPENAPI.include(operation_id=SERVED)
BOUNDED = settings(
    max_examples=10,
    derandomize=True,
    deadline=None,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with emulate("openai", today=date(2026, 11, 24)) as world:
        yield world


@SCHEMA.parametrize()
@BOUNDED
def test_whatever_is_asked_is_answered_or_refused_in_form(case: Any, world: World) -> None:
    where = world.environment
    answer = case.call(
        base_url=where["OPENAI_BASE_URL"], headers={"authorization": f"Bearer {where['OPENAI_API_KEY']}"}
    )
    assert answer.status_code < 500, answer.text
    if answer.status_code >= 400:
        assert answer.json()["error"].keys() == {"message", "type", "param", "code"}
