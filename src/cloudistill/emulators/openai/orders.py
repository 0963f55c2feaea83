"""The body of `POST /fine_tuning/jobs`, checked member by member as OpenAI checks it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from typing import Any

from cloudistill.emulators.openai.api import (
    Asked,
    Refusal,
    a_number,
    a_string,
    an_array,
    an_integer,
    an_object,
    metadata,
    missing,
    one_of,
    only,
)
from cloudistill.emulators.openai.files import Files, StoredFile
from cloudistill.emulators.openai.models import DEPRECATIONS, Base, Models, Tuned

LAST_ORDERS = datetime(2027, 1, 6, tzinfo=UTC)
MOST_EPOCHS, MOST_BATCH, MOST_SEED, LONGEST_SUFFIX = 50, 256, 2**31 - 1, 64
_MEMBERS = (
    "model",
    "training_file",
    "validation_file",
    "method",
    "hyperparameters",
    "suffix",
    "seed",
    "metadata",
    "integrations",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """As ordered; None stands for `auto`."""

    n_epochs: int | None = None
    batch_size: int | None = None
    learning_rate_multiplier: float | None = None

    def shown(self) -> dict[str, Any]:
        """As the API spells them."""
        return {name: "auto" if value is None else value for name, value in asdict(self).items()}


_NUMBERS = tuple(member.name for member in fields(Hyperparameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A tuning order that was accepted."""

    model: Base | Tuned
    training: StoredFile
    validation: StoredFile | None
    hyperparameters: Hyperparameters
    suffix: str | None
    seed: int | None
    metadata: dict[str, str] | None


def read(asked: Asked, *, files: Files, models: Models, now: datetime) -> Order:
    """The order in `asked`. Raises Refusal."""
    if now >= LAST_ORDERS:
        raise Refusal(f"Fine-tuning jobs can no longer be created, learn more here: {DEPRECATIONS}", status=403)
    body = asked.body(_MEMBERS, ("model", "training_file"))
    given = {name: value for name, value in body.items() if value is not None}
    if an_array(given.get("integrations", []), "integrations"):
        raise Refusal("This emulated API has no integrations.", code="unsupported_value", param="integrations")
    suffix, seed = given.get("suffix"), given.get("seed")
    return Order(
        model=models.tunable(a_string(given["model"], "model")),
        training=_file(given["training_file"], "training_file", files),
        validation=_file(given["validation_file"], "validation_file", files) if "validation_file" in given else None,
        hyperparameters=_hyperparameters(given),
        suffix=None if suffix is None else a_string(suffix, "suffix", shortest=1, longest=LONGEST_SUFFIX),
        seed=None if seed is None else an_integer(seed, "seed", 0, MOST_SEED),
        metadata=metadata(given["metadata"]) if "metadata" in given else None,
    )


def _file(name: Any, param: str, files: Files) -> StoredFile:
    file = files.find(a_string(name, param))
    if file is None:
        raise Refusal(f"invalid {param}: {name}", param=param)
    if file.purpose != "fine-tune":
        message = f"invalid {param}: {name} has the purpose '{file.purpose}', expected 'fine-tune'"
        raise Refusal(message, param=param)
    return file


def _hyperparameters(given: dict[str, Any]) -> Hyperparameters:
    if "method" not in given:
        return _numbers(given.get("hyperparameters", {}), "hyperparameters")
    if "hyperparameters" in given:
        message = "'hyperparameters' is deprecated and cannot be combined with 'method'."
        raise Refusal(message, code="invalid_value", param="hyperparameters")
    method = an_object(given["method"], "method")
    if "type" not in method:
        raise missing("method.type")
    kind = one_of(method["type"], "method.type", ("supervised", "dpo", "reinforcement"))
    if kind != "supervised":
        message = f"This emulated API trains by the method 'supervised' only, not by '{kind}'."
        raise Refusal(message, code="unsupported_value", param="method.type")
    only(method, ("type", "supervised"), "method")
    supervised = an_object(method.get("supervised") or {}, "method.supervised")
    only(supervised, ("hyperparameters",), "method.supervised")
    return _numbers(supervised.get("hyperparameters") or {}, "method.supervised.hyperparameters")


def _numbers(value: Any, where: str) -> Hyperparameters:
    given = an_object(value, where)
    only(given, _NUMBERS, where)
    chosen = {name: number for name, number in given.items() if number != "auto"}
    if "n_epochs" in chosen:
        an_integer(chosen["n_epochs"], f"{where}.n_epochs", 1, MOST_EPOCHS)
    if "batch_size" in chosen:
        an_integer(chosen["batch_size"], f"{where}.batch_size", 1, MOST_BATCH)
    if "learning_rate_multiplier" in chosen:
        a_number(chosen["learning_rate_multiplier"], f"{where}.learning_rate_multiplier", 0, above=True)
    return Hyperparameters(**chosen)
