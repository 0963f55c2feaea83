"""Every exchange goes to the judge of its vendor: what it finds is a violation, mistakes made on purpose excepted."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from tests.contracts.aws_models import AwsModels
from tests.contracts.contract import Contract, Operation
from tests.contracts.flaws import KEPT
from tests.contracts.google_discovery import GoogleDiscovery
from tests.contracts.openai_document import NEWER, OpenAIDocument, carried

from cloudistill.emulators.recording import Exchange

FORGIVEN = re.compile(r": is output only$")
"""Mistakes that the vendor itself passes over, so that an emulator may."""
NOT_OFFERED = 501
"""How an emulator says that an operation is real, and that it does not have it."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is wrong with one exchange."""

    operation: Operation | None
    request: tuple[str, ...]
    answer: tuple[str, ...]

    def violations(self, exchange: Exchange, *, on_purpose: bool = False) -> list[str]:
        """The broken rules; a request that is wrong `on_purpose` is none, if it was refused for it."""
        found = [f"answer: {exchange.status}, the emulator broke"] if _broke(exchange) else []
        found += self.answer
        if not on_purpose:
            return [*self.request, *found]
        refused = 400 <= exchange.status < 500 or exchange.status == NOT_OFFERED
        taken = [f"{problem}, and was taken" for problem in self.request if not FORGIVEN.search(problem)]
        return found if refused else [*taken, *found]


class Judge:
    """The documents of all vendors, each read when it is first asked for."""

    _makers: ClassVar[dict[str, Callable[[], list[Contract]]]] = {
        "openai": lambda: [OpenAIDocument(carried()), *_newer()],
        "bedrock": lambda: [AwsModels("bedrock")],
        "aws": lambda: [AwsModels("aws")],
        "vertex": lambda: [GoogleDiscovery("vertex")],
        "storage": lambda: [GoogleDiscovery("storage")],
    }

    def __init__(self) -> None:
        self._contracts: dict[str, list[Contract]] = {}

    def contracts(self, exchange: Exchange) -> list[Contract]:
        """Who judges an exchange."""
        vendor = exchange.server.partition("-")[0]
        if vendor not in self._contracts:
            self._contracts[vendor] = self._makers[vendor]()
        return self._contracts[vendor]

    def verdict(self, exchange: Exchange) -> Verdict:
        """What the documents say of one exchange."""
        contracts = self.contracts(exchange)
        found = [(contract, contract.find(exchange)) for contract in contracts]
        request: dict[str, None] = {}
        answer: dict[str, None] = {}
        for contract, operation in found:
            nowhere = [f"{exchange.method} {exchange.path}: no document has this operation"]
            request |= dict.fromkeys(contract.request(operation, exchange) if operation else nowhere)
            answer |= dict.fromkeys(contract.answer(operation, exchange))
        kept = tuple(KEPT.get(exchange.server.partition("-")[0], ()))
        judged = tuple(problem for problem in answer if not problem.startswith(kept)) if kept else tuple(answer)
        return Verdict(found[0][1], tuple(request), judged)


def _newer() -> list[Contract]:
    """OpenAI's newer document, where it lies beside the checkout."""
    return [OpenAIDocument(json.loads(NEWER.read_bytes()), NEWER.name)] if NEWER.exists() else []


def _broke(exchange: Exchange) -> bool:
    return exchange.status >= 500 and exchange.status != NOT_OFFERED
