"""Writes the table of operations, docs/reference/contracts.md: `make tables`; a test holds it current."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from tests.contracts.aws_models import AwsModels
from tests.contracts.contract import Contract, Operation
from tests.contracts.flaws import FLAWS, KEPT
from tests.contracts.google_discovery import GoogleDiscovery
from tests.contracts.openai_document import OpenAIDocument, carried
from tests.contracts.operations import OPERATIONS

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "contracts.md"
GENERATED = "<!-- Written by tests/contracts/table.py: change tests/contracts, then run `make tables`. -->"
INTRO = """\
# Vendors' contracts

Every request that the tests send to an emulated vendor, and every answer, is seen at the wire and held against the
vendor's own machine-readable document: path, query, headers and body; types, required and unknown members, words,
patterns and sizes. A violation fails the test that caused it. Tests that ask wrongly on purpose say so
(`sends_bad_requests`), and then the emulator must refuse.

Beyond the documents: a success names its model and a failure its error, a final state stays, ids, creation times and
what was ordered never change, the id answered is the id asked, what was deleted is gone, and bytes stored are bytes
sent.

The documents come with test dependencies. Where OpenAI's newer document lies beside the checkout, both are asked.
`cloudistill emulate --record FILE` writes the same exchanges down for your own programs, without credentials.

## Operations

All that the backends and the tests call. A run of the whole suite fails if it calls another, or leaves one out."""
FLAWED = """\
## Where a document is wrong

Read otherwise than written, with the reason."""
NAMES = {"openai": "OpenAI's OpenAPI document", "storage": "the kept Cloud Storage emulator"}


def page() -> str:
    """The whole page."""
    head = "| operation | called as | document | a good answer is held against |\n| --- | --- | --- | --- |"
    rows = [
        f"| `{name}` | `{operation.method} {operation.path}` | {operation.document} | {contract.holds(operation)} |"
        for name, operation, contract in _listed()
    ]
    flaws = "\n".join(_flaws())
    table = f"| document | where | reason |\n| --- | --- | --- |\n{flaws}"
    return "\n\n".join([GENERATED, INTRO, "\n".join([head, *rows]), FLAWED, table]) + "\n"


def _listed() -> Iterator[tuple[str, Operation, Contract]]:
    contracts: list[Contract] = [
        OpenAIDocument(carried()),
        *(AwsModels(server) for server in ("bedrock", "aws")),
        *(GoogleDiscovery(service) for service in ("vertex", "storage")),
    ]
    known = {operation.key: (operation, contract) for contract in contracts for operation in contract.operations}
    for name in sorted(OPERATIONS):
        yield name, *known[name]


def _flaws() -> Iterator[str]:
    for document, flaws in FLAWS.items():
        yield from (f"| {NAMES.get(document, document)} | {_place(flaw.at)} | {flaw.reason} |" for flaw in flaws)
    for service, kept in KEPT.items():
        yield from (f"| {NAMES[service]} | every operation | {reason} |" for reason in kept.values())


def _place(at: str) -> str:
    return f"`{at}`" if at else "everywhere"


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
    sys.stdout.write(f"{PAGE}\n")
