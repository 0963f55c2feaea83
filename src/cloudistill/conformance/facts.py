"""What a platform's facts promise: they parse, and every one says where it was read, and when."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from datetime import date
from typing import Any, ClassVar, cast

import pytest

from cloudistill.backends.backend import available
from cloudistill.core.job import JobStatus
from cloudistill.formats import registry
from cloudistill.platforms.platform import Platform, load, names, read

BARE = ("words", "hyperparameters", "texts", "reserved_words", "models", "families", "says")
"""Tables that only hold others, or one entry a row: what they hold says where it was read."""


def sourced(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every table that holds values of its own, not only other tables; who is of a family has its family's source."""
    family = "family" in node and "source" not in node
    if (
        path
        and not family
        and path.rpartition(".")[2] not in BARE
        and any(not isinstance(v, dict | list) for v in node.values())
    ):
        yield path, node
    for key, value in node.items():
        for item in cast("list[Any]", value if isinstance(value, list) else [value]):
            if isinstance(item, dict):
                yield from sourced(cast("dict[str, Any]", item), f"{path}.{key}" if path else key)


class PlatformPromises:
    """The promises of a platform's TOML file."""

    platform: ClassVar[str]

    @pytest.fixture
    def facts(self) -> Platform:
        """The platform as it is read."""
        return load(self.platform)

    def test_the_facts_are_found_by_the_platforms_name(self, facts: Platform) -> None:
        assert facts.name == self.platform
        assert self.platform in names()
        assert self.platform in available()

    def test_every_table_says_where_it_was_read_and_when(self) -> None:
        found = list(sourced(tomllib.loads(read(self.platform))))
        assert found
        for path, table in found:
            assert str(table.get("source", "")).strip(), f"{path} has no source"
            assert isinstance(table.get("checked"), date), f"{path} has no date"

    def test_every_model_has_an_id_of_its_own(self, facts: Platform) -> None:
        assert len({model.id for model in facts.models}) == len(facts.models)

    def test_its_format_is_known(self, facts: Platform) -> None:
        renderings = {model.rendering for model in facts.models if "student" in model.roles}
        for rendering in renderings or {None}:
            assert registry.get(facts.format, rendering).name == facts.format

    def test_some_word_means_success_and_some_word_means_failure(self, facts: Platform) -> None:
        assert {JobStatus.SUCCEEDED, JobStatus.FAILED} <= set(facts.statuses.values())

    def test_looking_begins_often_and_becomes_rarer(self, facts: Platform) -> None:
        polling = facts.polling
        assert 0 < polling.first <= polling.maximum
        assert polling.factor >= 1
        assert 0 <= polling.jitter < 1

    def test_no_price_is_zero(self, facts: Platform) -> None:
        for model in facts.models:
            if model.prices:
                figures = model.prices.model_dump(exclude={"source", "checked", "note"}).values()
                assert all(figure is None or figure > 0 for figure in figures), model.id

    def test_a_training_price_has_two_ends_in_order(self, facts: Platform) -> None:
        for model in facts.models:
            if model.prices and model.prices.training_low is not None:
                assert model.prices.training_high is not None
                assert model.prices.training_low <= model.prices.training_high

    def test_every_default_is_a_value_the_hyperparameter_takes(self, facts: Platform) -> None:
        for model in facts.models:
            for hyperparameter in model.hyperparameters.values():
                if hyperparameter.default is not None:
                    hyperparameter.spell(hyperparameter.default)

    def test_every_live_student_says_how_long_a_row_may_be(self, facts: Platform) -> None:
        for model in facts.students(max(model.checked for model in facts.models)):
            assert model.max_tokens_per_example or model.context, model.id

    def test_every_pattern_compiles(self, facts: Platform) -> None:
        for name, value in facts.limits.model_dump().items():
            if name.endswith("pattern") and value:
                re.compile(value)
        for reserved in facts.reserved_words.values():
            assert reserved.compiled()

    def test_what_replaces_a_model_is_known_and_outlives_it(self, facts: Platform) -> None:
        for model in facts.models:
            for id_ in model.replaced_by:
                heir = facts.model(id_)
                assert heir is not None, f"{model.id} is replaced by {id_}, which is not listed"
                assert heir.ends is None or (model.ends is not None and heir.ends > model.ends)

    def test_what_an_untuned_student_is_called_as_is_a_model_that_answers(self, facts: Platform) -> None:
        for model in facts.models:
            if model.called_as is not None:
                called = facts.model(model.called_as)
                assert called is not None, model.id
                assert "teacher" in called.roles

    def test_every_live_pair_names_models_that_are_listed(self, facts: Platform) -> None:
        for pair in facts.pairs:
            if pair.ended is None:
                assert facts.model(pair.teacher), pair.teacher
                assert facts.model(pair.student), pair.student
