"""Before money moves: rows, student, service, setup at the vendor and cost, each held against its rules."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from cloudistill.backends.backend import Backend
from cloudistill.core.errors import BudgetExceeded, InvalidDataset, MissingSetup, ModelUnavailable
from cloudistill.core.finding import Finding
from cloudistill.core.refs import FileRef, ModelRef
from cloudistill.formats.dataset import Dataset
from cloudistill.pipeline import native, offers
from cloudistill.pipeline import spec as specs
from cloudistill.pipeline.availability import check_model, check_teacher
from cloudistill.pipeline.checking import Check, Tokens
from cloudistill.pipeline.estimating import Estimate, estimate, require_budget
from cloudistill.pipeline.preparing import Asked, Setting
from cloudistill.pipeline.progress import Event
from cloudistill.pipeline.recipe import Recipe
from cloudistill.pipeline.retry import once


def check_data(dataset: Dataset, student: ModelRef, recipe: Recipe, today: date, backend: Backend | None) -> Check:
    """Every rule of rows and models, of the method `native` too; with a `backend` its service is asked as well."""
    against = native.findings(recipe, student, None, today) if recipe.method == "native" else []
    checked = native.check_rows(dataset, student, recipe, today)
    if backend is not None:
        facts = native.facts_of(recipe, student)
        against = [*against, *offers.unaskable(facts, backend)]
        hourly = recipe.allow_hourly
        checked = offers.heard(checked, facts, backend, today=today, teacher=recipe.teacher, allow_hourly=hourly)
    return replace(checked, findings=(*against, *checked.findings))


def check_order(asked: Asked, setting: Setting) -> Check:
    """Every rule that can be checked before money moves: method, rows, model, setup at the vendor."""
    setting.notify(Event(run=asked.name, step="check", message=f"checking {asked.source} for {asked.student}"))
    method = check_pair(asked.recipe, asked.student, asked.backend, setting.today) if asked.is_native else []
    checked = _with_service(asked, _checked(asked, setting), setting)
    refuse_rows(checked, asked.recipe.drop_refused)
    for finding in (*method, *checked.findings):
        if not finding.line and not finding.is_error:
            setting.notify(Event(run=asked.name, step="check", message=str(finding)))
    _tell_examples(asked, checked, setting)
    _check_setup(asked)
    _check_validation(asked, setting)
    return checked


def check_pair(recipe: Recipe, student: ModelRef, backend: Backend, today: date) -> list[Finding]:
    """What the vendor's own distillation of this pair warns of.

    Raises:
        ModelUnavailable: it cannot be ordered, whatever the rows.
    """
    findings = native.findings(recipe, student, backend, today)
    if errors := [finding for finding in findings if finding.is_error]:
        raise ModelUnavailable(str(errors[0]), errors)
    return findings


def _checked(asked: Asked, setting: Setting) -> Check:
    """The rows and models held against the facts alone; once, if `auto` has done it."""
    if asked.dataset is None:
        return _unread(asked, setting)
    return asked.checked or native.check_rows(asked.dataset, asked.student, asked.recipe, setting.today)


def _unread(asked: Asked, setting: Setting) -> Check:
    """Logs lie at the vendor, which reads them itself: only the models can be judged here."""
    teacher, today = asked.recipe.teacher, setting.today
    of_student = check_model(asked.student, today, allow_hourly=asked.recipe.allow_hourly, platform=asked.facts)
    logged = asked.recipe.logs is not None and asked.recipe.logs.use_answers
    of_teacher = check_teacher(teacher, today, needed=not logged) if teacher else []
    return Check(
        student=asked.student,
        rows_in=0,
        rows_ok=0,
        unanswered=0,
        findings=(*of_student, *of_teacher),
        refused_lines=(),
        tokens=Tokens(total=0, least=0, most=0, longest=0, how="the logs are not read here"),
        bytes=0,
    )


def _with_service(asked: Asked, checked: Check, setting: Setting) -> Check:
    """With what the service says of the student; it is not asked about an order that its rows refuse already."""
    whole = any(finding.file and not finding.line for finding in checked.errors)
    if whole or len(checked.refused_lines) > asked.recipe.drop_refused:
        return checked
    return offers.heard(
        checked,
        asked.facts,
        asked.backend,
        today=setting.today,
        teacher=asked.recipe.teacher,
        allow_hourly=asked.recipe.allow_hourly,
    )


def _tell_examples(asked: Asked, checked: Check, setting: Setting) -> None:
    """Say what the vendor's own distillation makes of answers that are in the file."""
    answered = checked.rows_ok - checked.unanswered
    if asked.is_native and answered:
        words = f"{answered} of {checked.rows_ok} prompts are answered: examples for {asked.recipe.teacher}"
        message = f"{words}, which answers them anew; with --method sft the answers themselves are learnt"
        setting.notify(Event(run=asked.name, step="check", message=message))


def _check_setup(asked: Asked) -> None:
    """What the backend has no place for, and what is missing at the vendor."""
    unsent = FileRef(asked.student.platform, "unsent")
    training, validation = asked.dataset and unsent, asked.recipe.validation and unsent
    spec = specs.ordered(asked.name, asked.order, training or None, validation or None)
    once(asked.backend, lambda: asked.backend.accepts(spec))
    findings = once(asked.backend, lambda: asked.backend.preflight(asked.student))
    if errors := [finding for finding in findings if finding.is_error]:
        raise MissingSetup(str(errors[0]), errors)


def check_labelled(asked: Asked, dataset: Dataset, setting: Setting) -> Check:
    """Every rule of rows that wait for no teacher any more; the models were judged before the teacher was asked.

    Raises:
        InvalidDataset: too many of the answers cannot be used.
    """
    checked = native.check_rows(dataset, asked.student, asked.recipe, setting.today, answered=True)
    checked = replace(checked, findings=tuple(finding for finding in checked.findings if finding.file))
    refuse_rows(checked, asked.recipe.drop_refused)
    return checked


def _check_validation(asked: Asked, setting: Setting) -> None:
    """The held-out rows that the vendor reports its loss on; none of them may be refused."""
    if asked.recipe.validation is None:
        return
    held_out = Dataset(asked.recipe.validation)
    checked = native.check_rows(held_out, asked.student, asked.recipe, setting.today, answered=True)
    broken = [finding for finding in checked.errors if finding.line]
    if broken:
        raise InvalidDataset(f"{len(broken)} rules are broken in the validation rows: {broken[0]}", broken)


def refuse_rows(checked: Check, allowed: int) -> None:
    """Refuse a dataset with broken rules, unless only rows are broken and no more of them than `allowed`.

    Raises:
        ModelUnavailable: the student cannot be tuned, whatever the rows.
        InvalidDataset: too many rows are refused, or the file as a whole is. Both carry every finding.
    """
    errors, refused = checked.errors, len(checked.refused_lines)
    if model := [finding for finding in errors if not finding.file]:
        raise ModelUnavailable(str(model[0]), errors)
    if refused > allowed:
        raise InvalidDataset(
            f"{refused} of {checked.rows_in} rows are refused, {allowed} allowed. Mend them (`cloudistill check "
            f"--json` lists all), or go on without them by --drop-refused {refused}. The first: {errors[0]}",
            errors,
        )
    if whole := [finding for finding in errors if not finding.line]:
        raise InvalidDataset(str(whole[0]), errors)


def cost_facts(asked: Asked, checked: Check, setting: Setting, *, ask: bool = False) -> dict[str, Any]:
    """What is known of rows and cost, once the cost is within the budget and, if asked, confirmed."""
    cost = _estimate(asked, checked, setting)
    require_budget(cost, asked.recipe.budget)
    if ask:
        setting.notify(Event(run=asked.name, step="check", message=str(cost)))
    if ask and setting.confirm is not None and not setting.confirm(asked.name, cost):
        raise BudgetExceeded(f"run {asked.name!r} was not confirmed: nothing was sent")
    return {
        "data": asked.source,
        "cost_estimate_usd": {"low": cost.low, "high": cost.high},
        "rows": {"in": checked.rows_in, "refused": len(checked.refused_lines)},
        **({"method_reason": asked.why} if asked.why else {}),
    }


def _estimate(asked: Asked, checked: Check, setting: Setting) -> Estimate:
    model, recipe = asked.facts.model(asked.student.id), asked.recipe
    given, known = recipe.hyperparameters.get("epochs"), model.hyperparameters.get("epochs") if model else None
    return estimate(
        checked,
        asked.student,
        epochs=int(known.spell(given)) if known and given not in (None, "auto") else None,
        price=recipe.price,
        today=setting.today,
        teacher=recipe.teacher,
        teacher_max_tokens=recipe.answer_tokens,
        native=asked.is_native,
        platform=asked.facts,
    )
