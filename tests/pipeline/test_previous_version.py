"""Runs that 0.1 recorded go on under this version: the same order, the same marker, and nothing is paid again.

What is spelled out here was printed by the version before native distillation, from these very rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cloudistill import Run, RunStatus, Store, distill
from cloudistill.core.job import Vpc
from tests.conftest import TODAY

from . import acme

ROWS: list[dict[str, Any]] = [
    *(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": f"Question {number}? é\u2028😀"},
                {"role": "assistant", "content": f"Answer {number}. 1.0 </x>"},
            ]
        }
        for number in range(12)
    ),
    {
        "messages": [
            {"role": "user", "content": "w"},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "c1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a":1.50,"b":[1e3,"é"]}'},
                    }
                ],
            },
        ],
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "f",
                    "description": "d",
                    "parameters": {
                        "type": "object",
                        "properties": {
                            "a": {"type": "number"},
                            "b": {"type": "array", "items": {"type": ["string", "null"]}},
                        },
                        "required": ["a"],
                    },
                },
            }
        ],
    },
]
FINGERPRINT = "f166cd71985376ad59710812e3b5a4be7976a33abbaa9e78fac6fc473a4013b0"
ORDER: dict[str, Any] = {
    "fingerprint": FINGERPRINT,
    "hyperparameters": {"epochs": 3},
    "kms_key": None,
    "method": "sft",
    "native": {},
    "seed": 7,
    "service_account": None,
    "suffix": "s",
    "tags": {"team": "x"},
    "teacher": "openai:gpt-4.1-2025-04-14",
    "validation": FINGERPRINT,
    "vpc": {"security_group_ids": ["b"], "subnet_ids": ["a"]},
}
OWN = {
    "openai:gpt-4.1-mini-2025-04-14": ("openai-chat", None, "52727d1fcd1b545ba076ab154b70166a"),
    "bedrock:amazon.nova-micro-v1:0:128k": ("bedrock-conversation", "text", "db76938b3cc0b07fd944b26e8c86f8e8"),
    "vertex:gemini-3.1-flash-lite": ("gemini-contents", None, "36352626cd64e0d6ee206515915c9ea0"),
}


@pytest.fixture
def rows(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS), "utf-8")
    return path


@pytest.fixture(params=OWN, ids=lambda student: student.partition(":")[0])
def student(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def store(student: str, rows: Path) -> Iterator[Store]:
    """A store in which the version before has recorded the run `r`."""
    spelling, rendering, _ = OWN[student]
    order = ORDER | {"student": student, "format": spelling, "rendering": rendering}
    with Store(rows.parent / "state.db") as store:
        store.add("r", status=RunStatus.PLANNED, payer="acme 1", order=order, facts={"rows": {"in": 13, "refused": 0}})
        yield store


def go(rows: Path, student: str, backend: acme.Trainer, store: Store) -> Run:
    return distill(
        rows,
        student=student,
        name="r",
        wait=False,
        today=TODAY,
        backends=[backend],
        store=store,
        teacher="openai:gpt-4.1-2025-04-14",
        teacher_max_tokens=77,
        hyperparameters={"epochs": 3},
        seed=7,
        suffix="s",
        tags={"team": "x"},
        validation=rows,
        vpc=Vpc(subnet_ids=("a",), security_group_ids=("b",)),
    )


def test_a_run_that_ordered_nothing_yet_orders_under_the_marker_it_would_have_had(
    student: str, rows: Path, store: Store
) -> None:
    backend = acme.Vendor(platform=student.partition(":")[0])
    before = store.get("r").order
    run = go(rows, student, backend, store)
    assert run.record.order == before
    assert [spec.marker for spec in backend.specs] == [OWN[student][2]]


def test_an_order_in_doubt_is_found_by_its_marker_and_not_paid_again(student: str, rows: Path, store: Store) -> None:
    platform, (_, rendering, marker) = student.partition(":")[0], OWN[student]
    backend = acme.Vendor(platform=platform)
    spec = {name: value for name, value in ORDER.items() if name not in {"fingerprint", "teacher"}}
    spec |= {"run": "r", "marker": marker, "student": student, "rendering": rendering}
    spec |= {"training": f"{platform}:t", "validation": f"{platform}:v"}
    store.intend(
        "r", "tuning", 1, marker=marker, payer="acme 1", spec=spec, unless_changed_since=None
    )  # and the process died
    store.update("r", status=RunStatus.SUBMITTING)
    lost = backend.submit(replace(Run(store, store.get("r")).spec(), marker=marker))
    run = go(rows, student, backend, store)
    assert (run.job, len(backend.specs)) == (lost.ref, 1)
    assert run.spec().teacher is None
