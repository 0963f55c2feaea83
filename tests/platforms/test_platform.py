"""How facts are read, and what the dates in them mean."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from cloudistill.core.errors import UsageError
from cloudistill.platforms.hyperparameter import AutoEpochs, Hyperparameter, Value
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import load, parse

READ = date(2026, 11, 24)
END = date(2027, 1, 14)

SMALL = """
name = "local"
title = "A host of one's own"
format = "openai-chat"

[polling]
first = 1
maximum = 2
factor = 2
jitter = 0
source = "us"
checked = 2026-11-24

[limits]
source = "us"
checked = 2026-11-24

[job_words]
source = "us"
checked = 2026-11-24
words = { done = "succeeded" }

[families.small]
roles = ["student"]
context = 4096
source = "the family"
checked = 2026-01-01

[models."a:b"]
family = "small"
title = "A"
source = "the row"
checked = 2026-11-24
"""


def model(**facts: object) -> Model:
    return Model.model_validate({"id": "m", "title": "M", "roles": ["student"], "source": "s", "checked": READ} | facts)


def read(text: str) -> str:
    return str(parse(text, "facts.toml").model_dump())


def test_an_unknown_platform_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"'azure'.*bedrock, openai, vertex"):
        load("azure")


def test_a_path_is_no_platform_name() -> None:
    with pytest.raises(UsageError):
        load("../platforms/openai")


def test_facts_are_read_once() -> None:
    assert load("openai") is load("openai")


def test_a_models_row_goes_before_its_family() -> None:
    platform = parse(SMALL, "facts.toml")
    found = platform.model("a:b")
    assert found is not None
    assert (found.context, found.source, found.checked) == (4096, "the row", READ)
    assert platform.model("a") is None


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("[polling]", "color = 1\n[polling]"),
        ("jitter = 0", "jitter = 0\ncolour = 'red'"),
        ("context = 4096", "contexts = 4096"),
        ("[limits]", "[limits]\nfile_size = 3"),
        ("[job_words]\nsource", "[job_words]\norigin"),
    ],
)
def test_an_unknown_key_is_refused(old: str, new: str) -> None:
    read(SMALL)
    with pytest.raises(UsageError, match="Extra inputs are not permitted"):
        read(SMALL.replace(old, new, 1))


@pytest.mark.parametrize("line", ['source = "the row"\n', "checked = 2026-11-24\n"])
def test_a_table_without_origin_is_refused(tmp_path: Path, line: str) -> None:
    head, _, row = SMALL.partition("[models")
    bare = head.replace('source = "the family"\nchecked = 2026-01-01\n', "") + "[models" + row.replace(line, "")
    with pytest.raises(UsageError, match="Field required"):
        read(bare)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"succeeded"', '"triumphant"'),
        ('family = "small"', 'family = "tall"\nroles = ["student"]'),
        ("context = 4096", 'context = 4096\nreserved = ["nothing"]'),
        ("[limits]", "[limits"),
        ("name =", "nom ="),
    ],
)
def test_facts_that_do_not_hold_together_are_refused_with_the_file(old: str, new: str) -> None:
    with pytest.raises(UsageError, match=r"facts\.toml"):
        read(SMALL.replace(old, new, 1))


@pytest.mark.parametrize(("today", "ended"), [(date(2027, 1, 13), False), (END, True), (date(2027, 1, 15), True)])
def test_a_model_is_ended_from_its_end_date_on(today: date, ended: bool) -> None:
    assert model(ends=END).ended(today) is ended
    assert model(ends=END, ends_no_sooner_than=True).ended(today) is ended


def test_a_model_without_an_end_date_never_ends() -> None:
    eternal = model()
    assert not eternal.ended(date.max)
    assert not eternal.training_ended(date.max)
    assert not eternal.ends_within(10_000, READ)


@pytest.mark.parametrize(
    ("today", "soon"),
    [
        (date(2026, 10, 15), False),  # 91 days before
        (date(2026, 10, 16), True),  # 90 days before
        (date(2027, 1, 13), True),
        (END, False),  # ended is not ending
    ],
)
def test_a_model_ends_within_ninety_days_up_to_the_day_before(today: date, soon: bool) -> None:
    assert model(ends=END).ends_within(90, today) is soon


@pytest.mark.parametrize(
    ("today", "closed"), [(date(2027, 1, 5), False), (date(2027, 1, 6), True), (date(2027, 1, 13), True), (END, True)]
)
def test_training_ends_before_or_with_the_model(today: date, closed: bool) -> None:
    assert model(ends=END, training_ends=date(2027, 1, 6)).training_ended(today) is closed
    assert model(ends=END).training_ended(today) is (today >= END)


def test_only_models_that_can_be_tuned_today_are_students_today() -> None:
    openai = load("openai")
    assert len(openai.students(date(2027, 1, 5))) == 4
    assert openai.students(date(2027, 1, 6)) == ()
    assert all("student" in student.roles for student in openai.students(READ))


def hyperparameter(**facts: object) -> Hyperparameter:
    return Hyperparameter.model_validate({"native": "n", "kind": "int", "source": "s", "checked": READ} | facts)


@pytest.mark.parametrize(
    ("facts", "value", "spelled"),
    [
        ({"minimum": 1, "maximum": 5}, 1, 1),
        ({"minimum": 1, "maximum": 5}, 5, 5),
        ({"minimum": 1}, "3", 3),
        ({"minimum": 1, "as_string": True}, 2, "2"),
        ({"auto": True}, "auto", "auto"),
        ({"kind": "float", "above": 0}, 0.5, 0.5),
        ({"kind": "float", "as_string": True}, 1e-5, "0.00001"),
        ({"kind": "enum", "choices": [1, 4], "native_choices": ["ONE", "FOUR"]}, 4, "FOUR"),
    ],
)
def test_a_value_is_spelled_as_the_vendor_wants_it(facts: dict[str, object], value: Value, spelled: Value) -> None:
    assert hyperparameter(**facts).spell(value) == spelled
    assert type(hyperparameter(**facts).spell(value)) is type(spelled)


@pytest.mark.parametrize(
    ("facts", "value"),
    [
        ({"minimum": 1, "maximum": 5}, 0),
        ({"minimum": 1, "maximum": 5}, 6),
        ({"minimum": 1}, 1.5),
        ({"minimum": 0}, True),
        ({}, "many"),
        ({}, "auto"),
        ({}, float("inf")),
        ({"kind": "float"}, float("nan")),
        ({"kind": "float", "above": 0}, 0),
        ({"kind": "enum", "choices": [1, 4], "native_choices": ["ONE", "FOUR"]}, 2),
    ],
)
def test_a_value_out_of_range_is_refused_with_the_range(facts: dict[str, object], value: Value) -> None:
    refusing = hyperparameter(**facts)
    with pytest.raises(UsageError) as caught:
        refusing.spell(value)
    assert refusing.range in str(caught.value)


def test_the_range_reads_as_a_sentence() -> None:
    assert hyperparameter(minimum=1, maximum=5).range == "a whole number at least 1 and at most 5"
    assert hyperparameter(kind="float", above=0, auto=True).range == "a number above 0 or auto"
    assert hyperparameter(kind="enum", choices=[1, 2]).range == "one of 1, 2"


@pytest.mark.parametrize(
    ("rows", "epochs"), [(1, 25), (4, 25), (10, 10), (33, 3), (34, 3), (8333, 3), (10_000, 2), (25_001, 1), (10**6, 1)]
)
def test_automatic_epochs_follow_the_public_heuristic(rows: int, epochs: int) -> None:
    facts = load("openai").model("gpt-4.1-2025-04-14")
    assert facts is not None
    auto = facts.hyperparameters["epochs"].auto_epochs
    assert isinstance(auto, AutoEpochs)
    assert auto.epochs(rows) == epochs
