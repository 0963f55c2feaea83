"""Writes the generated pages from code, facts and what was verified: `make tables`. A test holds them against it."""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from typer.main import get_command

from cloudistill.backends import backend as abilities
from cloudistill.cli.app import app
from cloudistill.core import errors
from cloudistill.platforms.platform import Platform, load, names

HERE = Path(__file__).parent
VERIFIED = HERE.parent / "scripts" / "verify_live"
GENERATED = "<!-- Written by docs/tables.py: change the code or the facts, then run `make tables`. -->"
EXIT_CODES = {
    0: "done",
    1: "a gate said no (no command has one yet)",
    2: "wrong usage: a flag, name or file that makes no sense",
    3: "refused before anything was spent: data, model, set-up, budget, another run's name",
    4: "the vendor refused, or could not be reached in spite of retries",
    5: "the vendor's job failed or was cancelled",
    6: "still running: a time limit or Ctrl-C; the line that goes on is printed",
    7: "outcome unknown: a paid order may or may not have arrived; a decision is asked for",
}


def _page(title: str, *parts: str) -> str:
    return "\n\n".join((f"# {title}", *parts))


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    """A Markdown table; None is shown as a dash."""
    head = [*columns]
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return "–" if value is None or value == "" else str(value).replace("|", "\\|").replace("\n", " ")


def _code(value: object) -> str | None:
    return None if value is None else f"`{value}`"


def _source(fact: Any) -> str:
    linked = "; ".join(f"<{part}>" if part.startswith("https://") else part for part in fact.source.split("; "))
    return f"{linked} ({fact.checked})"


def capabilities() -> str:
    """What each backend can do, and which statement of the protocol that is."""
    backends = {
        point.name: point.load() for point in sorted(entry_points(group=abilities.GROUP)) if point.name in names()
    }
    rows: list[tuple[str, ...]] = []
    for protocol in (abilities.Backend, *abilities.ABILITIES):
        verbs: list[str] = [
            verb for verb in vars(protocol) if not verb.startswith("_") and callable(getattr(protocol, verb))
        ]
        can = ["yes" if all(hasattr(backend, verb) for verb in verbs) else "–" for backend in backends.values()]
        rows.append((f"`{protocol.__name__}`", _first(protocol), ", ".join(f"`{verb}`" for verb in verbs), *can))
    intro = (
        "A backend is asked through abilities: Protocols in `cloudistill`, each a few methods. What a vendor does not "
        "have, its backend does not have either, and the verb that needs it says so."
    )
    return _page("What each backend can do", intro, table(("ability", "what it is", "methods", *backends), rows))


def _first(thing: Any) -> str:
    return (thing.__doc__ or "").partition("\n")[0]


def statuses() -> str:
    """Every vendor's word for where a job or deployment stands, in ours."""
    parts: list[str] = []
    for facts in map(load, names()):
        rows = [(_code(word), _code(status)) for word, status in facts.statuses.items()]
        parts += [f"## {facts.title}: tuning jobs", table(("vendor's word", "ours"), rows), _from(facts.job_words)]
        if facts.deployment_words:
            rows = [(_code(word), _code(status)) for word, status in facts.deployment_statuses.items()]
            parts += [
                f"## {facts.title}: deployments",
                table(("vendor's word", "ours"), rows),
                _from(facts.deployment_words),
            ]
    return _page(
        "Status words", "A word that is not listed is `unknown`: not final, shown verbatim, and polled on.", *parts
    )


def _from(fact: Any) -> str:
    return f"Source: {_source(fact)}." + (f" {fact.note}." if getattr(fact, "note", None) else "")


def hyperparameters() -> str:
    """What each student takes, by our names and the vendor's."""
    intro = "`--set NAME=VALUE` takes the neutral names. What a student has no place for is refused, never dropped."
    parts: list[str] = []
    for facts in map(load, names()):
        rows = [
            (_code(model.id), _code(name), _code(known.native), known.range, known.default)
            for model in facts.models
            if "student" in model.roles
            for name, known in model.hyperparameters.items()
        ]
        parts += [f"## {facts.title}", table(("student", "name", "vendor's name", "range", "default"), rows)]
    return _page("Hyperparameters", intro, *parts)


def models() -> str:
    """Every model, pair and limit that is known, with source and date."""
    intro = (
        "Prices are US dollars per million tokens. A dash is unknown, never free and never unlimited. "
        "`cloudistill platforms` prints the same for today."
    )
    parts: list[str] = []
    for facts in map(load, names()):
        parts += [
            f"## {facts.title}",
            *_models(facts),
            *_pairs(facts),
            "### Limits",
            _limits(facts),
            _from(facts.limits),
        ]
    return _page("Models, pairs and limits", intro, *parts)


def _models(facts: Platform) -> Iterator[str]:
    rows = [
        (
            _code(model.id),
            " ".join(sorted(model.roles)),
            _ends(model),
            model.training_ends,
            ", ".join(model.regions),
            model.min_rows,
            model.max_tokens_per_example,
            model.serving + (" (hourly)" if model.hourly else ""),
            _span(model.prices),
            _source(model),
        )
        for model in facts.models
    ]
    columns = ("model", "roles", "ends", "no new jobs from", "tuned in", "min rows", "tokens a row", "served by")
    yield table((*columns, "training", "source (checked)"), rows)


def _ends(model: Any) -> str | None:
    return f"{model.ends}{' or later' if model.ends_no_sooner_than else ''}" if model.ends else None


def _span(prices: Any) -> str | None:
    if prices is None or prices.training_low is None:
        return None
    low, high = prices.training_low, prices.training_high
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _pairs(facts: Platform) -> Iterator[str]:
    if not facts.pairs:
        return
    rows = [
        (
            _code(pair.teacher),
            _code(pair.student),
            pair.region,
            f"ended {pair.ended}" if pair.ended else "live",
            "yes" if pair.logs else None,
            "yes" if pair.by_invitation else None,
            _source(pair),
        )
        for pair in facts.pairs
    ]
    yield "### Teachers and students that the vendor itself distils (`--method native`)"
    yield table(("teacher", "student", "region", "state", "from logs", "by invitation", "source (checked)"), rows)


def _limits(facts: Platform) -> str:
    known = facts.limits.model_dump(exclude={"source", "checked", "note"})
    return table(
        ("limit", "value"), ((_code(name), _code(value)) for name, value in known.items() if value is not None)
    )


def exit_codes() -> str:
    """The numbers a script can rely on."""
    kinds: dict[int, list[str]] = {}
    for kind in _tree(errors.CloudistillError):
        kinds.setdefault(kind.exit_code, []).append(f"`{kind.__name__}`")
    rows = [(code, meaning, ", ".join(kinds.get(code, ()))) for code, meaning in EXIT_CODES.items()]
    return _page("Exit codes", table(("code", "means", "errors in Python"), rows))


def error_tree() -> str:
    """Every error, what it means, and whether the same may be asked again."""
    rows = [
        (f"`{'· ' * depth}{kind.__name__}`", kind.exit_code, "yes" if kind.retryable else None, _first(kind))
        for kind, depth in _nested(errors.CloudistillError, 0)
    ]
    intro = (
        "All are in `cloudistill.errors`. Each names the thing, the rule and the way out; each survives pickling. "
        "A `PlatformError` also has `platform`, `code`, `status`, `request_id`, `retry_after` and `outcome`."
    )
    return _page("Errors", intro, table(("error", "exit code", "retryable", "means"), rows))


def _tree(root: type[errors.CloudistillError]) -> Iterator[type[errors.CloudistillError]]:
    yield from (kind for kind, _ in _nested(root, 0))


def _nested(root: type[errors.CloudistillError], depth: int) -> Iterator[tuple[type[errors.CloudistillError], int]]:
    yield root, depth
    for kind in root.__subclasses__():
        if kind.__module__ == errors.__name__:
            yield from _nested(kind, depth + 1)


def command_line() -> str:
    """Every command with its arguments and options, as `--help` tells them."""
    intro = "Every command takes `--json`: one JSON document on stdout, words for people on stderr."
    parts: list[str] = []
    command: Any = get_command(app)
    for name, verb in command.commands.items():
        rows = [
            (_said(parameter), parameter.help) for parameter in verb.params if parameter.name not in ("help", "as_json")
        ]
        parts += [f"## `cloudistill {name}`", (verb.help or "").strip()]
        parts += [table(("argument or option", "what it says"), rows)] if rows else []
    return _page("Command line", intro, *parts)


def _said(parameter: Any) -> str:
    if parameter.param_type_name == "argument":
        return f"`{parameter.metavar or parameter.name.upper()}`"
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return f"`{', '.join(parameter.opts)}{value}`"


def unverified() -> str:
    """What is assumed and open, by platform, and what accounts have settled."""
    assumptions = _toml("assumptions.toml")["assumptions"]
    answers = _toml("answers.toml")
    settled = {id_ for id_, answer in answers.items() if answer["verdict"] != "could not tell"}
    intro = (
        "Everything here was built from the vendors' documents, SDKs and machine-readable contracts, and tested "
        "against emulators\nwritten from the same material. These points were not settled by any of them; each says "
        "what we assume and what\nhappens if the assumption is wrong.\n\n"
        "[`verify_live`](../how-to/verify-live.md) settles them on a real account: each `id` below is one of its "
        "probes, or says why a\nperson is needed."
    )
    titles = {name: load(name).title for name in names()} | {"all": "All of them"}
    parts: list[str] = []
    for platform, title in titles.items():
        rows = [
            (_code(id_), row["assume"], row["if_wrong"], _how(row))
            for id_, row in assumptions.items()
            if row["platform"] == platform and id_ not in settled
        ]
        parts += [f"## {title}", table(("id", "assumption", "if wrong", "what settles it"), rows)] if rows else []
    rows = [
        (_code(id_), row["assume"], answers[id_]["verdict"], answers[id_]["when"], _quoted(answers[id_]))
        for id_, row in assumptions.items()
        if id_ in settled
    ]
    told = table(("id", "assumption", "verdict", "when", "evidence"), rows) if rows else "None yet."
    return _page("What no live account has confirmed", intro, *parts, "## Settled", told)


def _how(row: dict[str, Any]) -> str:
    return f"a person: {row['how']} ({row['person']})" if "person" in row else row["how"]


def _quoted(answer: dict[str, Any]) -> str:
    return "`{}`".format(answer["evidence"].replace("`", "'"))


def _toml(name: str) -> dict[str, Any]:
    """A table of `verify_live`'s; empty where nothing was recorded yet."""
    path = VERIFIED / name
    return tomllib.loads(path.read_text("utf-8")) if path.exists() else {}


PAGES: dict[str, Callable[[], str]] = {
    "explanation/unverified.md": unverified,
    "reference/capabilities.md": capabilities,
    "reference/command-line.md": command_line,
    "reference/errors.md": error_tree,
    "reference/exit-codes.md": exit_codes,
    "reference/hyperparameters.md": hyperparameters,
    "reference/models.md": models,
    "reference/statuses.md": statuses,
}


def page(name: str) -> str:
    """The whole text of a generated page."""
    return f"{GENERATED}\n\n{PAGES[name]()}\n"


def main(arguments: list[str]) -> int:
    """Write every page, or with `--check` say which are not current."""
    stale = [name for name in PAGES if not (HERE / name).exists() or (HERE / name).read_text("utf-8") != page(name)]
    for name in stale:
        if "--check" in arguments:
            sys.stderr.write(f"docs/{name} is not current: run `make tables`\n")
        else:
            (HERE / name).write_text(page(name), "utf-8")
    return 1 if stale and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
