"""The page of operations is current, and every flaw it excuses is one that a document still has."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.loaders import Loader
from tests.contracts import table
from tests.contracts.flaws import FLAWS, mended, reach
from tests.contracts.google_discovery import FOLDER
from tests.contracts.judge import Judge
from tests.contracts.openai_document import NEWER, carried
from tests.contracts.operations import OPERATIONS

from cloudistill.emulators.recording import Exchange


def document(name: str) -> dict[str, Any]:
    if name == "openai":
        return carried()
    found = FOLDER / f"{name}.json"
    return json.loads(found.read_bytes()) if found.exists() else Loader().load_service_model(name, "service-2")


def test_the_page_of_operations_is_what_the_documents_say() -> None:
    assert table.PAGE.read_text("utf-8") == table.page(), "run `make tables`"


@pytest.mark.parametrize("name", FLAWS)
def test_every_listed_flaw_is_still_there(name: str) -> None:
    original = document(name)
    for flaw in (flaw for flaw in FLAWS[name] if flaw.at):
        assert reach(original, flaw.at) is not None, f"{flaw.at} is gone from the document"
        assert reach(mended(original, [flaw]), flaw.at) != reach(original, flaw.at), f"{flaw.at} is mended already"
        for word, added in flaw.change.items():
            before = reach(original, flaw.at).get(word.rstrip("+-"), ())
            assert not any(item in before for item in added), f"{flaw.at} has {added} by itself now"


def test_openais_newer_document_is_asked_as_well() -> None:
    if not NEWER.exists():
        pytest.skip(f"NEWER DOCUMENT ABSENT: {NEWER.name} does not lie beside the checkout; the carried copy judges")
    exchange = Exchange(server="openai-1-1", method="GET", path="/v1/models")
    contracts = Judge().contracts(exchange)
    assert len(contracts) == 2
    served = {name for name in OPERATIONS if name.startswith("openai ")}
    assert all(served <= {operation.key for operation in contract.operations} for contract in contracts)
