"""What the vendor's service itself says of a student: asked once before money moves, and believed over the facts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from typing import Any

from cloudistill.backends.backend import Backend, Offers
from cloudistill.core.errors import CloudistillError
from cloudistill.core.finding import Finding
from cloudistill.core.job import Offer
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.availability import alternatives, check_model, check_teacher
from cloudistill.pipeline.checking import Check
from cloudistill.pipeline.retry import once
from cloudistill.pipeline.settings import connected
from cloudistill.platforms.model import Model
from cloudistill.platforms.platform import Platform


def heard(
    checked: Check,
    facts: Platform,
    backend: Backend,
    *,
    today: date,
    teacher: ModelRef | None = None,
    allow_hourly: bool = False,
) -> Check:
    """The check with what stands against the models judged anew, once the service has been asked: one GET.

    Where the service differs from `facts` it is believed, and a finding names both. Where it cannot be asked the
    facts decide, and a warning says so. Facts too old to be believed stay so: not only an end may have changed.
    """
    student = checked.student
    model = facts.model(student.id)
    if model is None or not isinstance(backend, Offers):
        return checked
    try:
        offer = once(backend, lambda: backend.offer(student))
    except CloudistillError as error:
        return replace(checked, findings=(_unasked(facts, model, error), *checked.findings))
    if against := _refusal(facts, model, offer, today):
        of_model = [against]
    else:
        settled, said = believed(facts, model, offer, today)
        of_model = [*check_model(student, today, allow_hourly=allow_hourly, platform=settled), *said]
    of_teacher = check_teacher(teacher, today, needed=checked.unanswered > 0) if teacher else []
    of_file = (finding for finding in checked.findings if finding.file)
    return replace(checked, findings=(*of_model, *of_teacher, *of_file))


def ask(facts: Platform) -> dict[str, str]:
    """What the platform's service says of each student, in words; of a vendor that cannot be asked, why."""
    students = [model.id for model in facts.models if "student" in model.roles]
    try:
        backend = connected(facts.name)
    except CloudistillError as error:
        return dict.fromkeys(students, str(error))
    return {id_: _answer(backend, ModelRef(facts.name, id_)) for id_ in students}


def _answer(backend: Backend, student: ModelRef) -> str:
    if not isinstance(backend, Offers):
        return "has no way to be asked"
    try:
        return words(once(backend, lambda: backend.offer(student)))
    except CloudistillError as error:
        return f"could not be asked: {error}"


def unaskable(facts: Platform, backend: Backend) -> list[Finding]:
    """A warning where the service was to be asked and there is no way to."""
    if isinstance(backend, Offers):
        return []
    message = f"{facts.title} has no way to be asked about its models, so the facts decide."
    return [Finding(rule="service-not-asked", message=message, remedy="", level="warning")]


def _unasked(facts: Platform, model: Model, error: CloudistillError) -> Finding:
    why = str(error).rstrip(".")
    message = f"{facts.title} could not be asked about {model.id}, so the facts of {model.checked} decide: {why}."
    return Finding(rule="service-not-asked", message=message, remedy="", level="warning")


def _refusal(facts: Platform, model: Model, offer: Offer, today: date) -> Finding | None:
    """Why no job can be made by the service's word, where the facts know of no reason."""
    ref = f"{facts.name}:{model.id}"
    if not _serves(offer, today) and not model.training_ended(today):
        rule, what = "not-served", f"does not serve {ref}"
    elif _serves(offer, today) and offer.trains is False and not _takes_no_more(model, today):
        rule, what = "takes-no-jobs", f"takes no tuning jobs for {ref}"
    else:
        return None
    message = f"{facts.title} {what} ({words(offer)}), though by the facts of {model.checked} {_end(model)}."
    return Finding(rule=rule, message=message, remedy=alternatives(facts, model, today), source=model.source)


def believed(facts: Platform, model: Model, offer: Offer, today: date) -> tuple[Platform, list[Finding]]:
    """The facts as the service corrects them, and a warning for each correction that names both."""
    changes, said = dict[str, Any](), list[Finding]()
    for rule, ours, change in _corrections(model, offer, today):
        changes |= change
        message = f"of {facts.name}:{model.id} the facts of {model.checked} say that {ours}; {facts.title} says:"
        remedy = "It is believed. Upgrade cloudistill for newer facts."
        said.append(Finding(rule=rule, message=f"{message} {words(offer)}.", remedy=remedy, level="warning"))
    corrected = model.model_copy(update=changes)
    models = tuple(corrected if other.id == model.id else other for other in facts.models)
    return facts.model_copy(update={"models": models}), said


def _corrections(model: Model, offer: Offer, today: date) -> Iterator[tuple[str, str, dict[str, Any]]]:
    serves = _serves(offer, today)
    if serves and model.ended(today):
        change = {"ends": offer.ends, "ends_no_sooner_than": False}
        yield "still-served", f"it ended on {model.ends}", change
    elif offer.ends is not None and offer.ends != model.ends:
        change = {"ends": offer.ends, "ends_no_sooner_than": False}
        yield "another-end", _end(model), change
    if serves and offer.trains and _takes_no_more(model, today):
        yield "still-trains", f"it takes no new jobs since {model.training_ends}", {"training_ends": None}


def _takes_no_more(model: Model, today: date) -> bool:
    """Whether the facts close the model to new jobs, whenever it ends."""
    return model.training_ends is not None and today >= model.training_ends


def _serves(offer: Offer, today: date) -> bool:
    return offer.served and (offer.ends is None or today < offer.ends)


def _end(model: Model) -> str:
    """The end that the facts give the model."""
    later = " or later" if model.ends_no_sooner_than else ""
    return f"it ends on {model.ends}{later}" if model.ends else "no end of it is announced"


def words(offer: Offer) -> str:
    """The service's answer: its own words, and the day if they do not hold it."""
    served = "served" if offer.served else "not served"
    day = f"until {offer.ends}" if offer.ends and str(offer.ends) not in offer.says else ""
    return ", ".join(filter(None, [served, day, offer.says]))
