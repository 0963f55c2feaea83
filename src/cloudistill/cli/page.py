"""One run as one HTML page: where it stands, its loss per step, its checkpoints, and what was told of its job."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cloudistill.cli.plot import thinned
from cloudistill.cli.told import LOSSES, Told
from cloudistill.demo.frame import ACCENT, INK, drawn, environment

if TYPE_CHECKING:
    from cloudistill.pipeline.run import Run

_WIDTH, _HEIGHT = 6.0, 2.6
_MOST_POINTS, _MARKED = 1_000, 100  # more of them cannot be told apart on the page
_COLOURS = {"training_loss": ACCENT, "validation_loss": INK}


def render(run: Run, told: Told) -> str:
    """The page as HTML.

    Raises:
        MissingExtra: matplotlib or jinja2 is not installed.
    """
    document = run.to_json()
    facts = {name: document[name] for name in ("student", "method", "native_status", "job", "model", "checkpoint")}
    prompts = document["prompts"]
    page: str = (
        environment("cloudistill.cli")
        .get_template("run.html.j2")
        .render(
            title=f"cloudistill: {run.name}",
            headline=_headline(run),
            facts={name.replace("_", " "): value for name, value in facts.items() if value},
            prompts=prompts and {name: prompts[name] for name in ("accepted", "rejected", "reasons")},
            plot=plot(told),
            told=told,
            steps=run.history(),
            written=f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        )
    )
    return page


def _headline(run: Run) -> str:
    against = run.failure or run.record.facts.get("warning")
    return f"{run.name} is {run.status}" + (f": {against}" if against else ".")


def plot(told: Told) -> str | None:
    """Loss by step as one SVG element; None where no loss is known."""
    if not any(map(told.loss, LOSSES)):
        return None
    return drawn(_WIDTH, _HEIGHT, lambda axes: _draw(axes, told))


def _draw(axes: Any, told: Told) -> None:
    axes.set_position((0.09, 0.14, 0.9, 0.82))
    axes.set_facecolor("none")
    for which, color in _COLOURS.items():
        if points := thinned(told.loss(which), _MOST_POINTS):
            steps, losses = zip(*points, strict=True)
            axes.plot(
                steps,
                losses,
                color=color,
                marker="o" if len(points) <= _MARKED else "",
                markersize=3,
                linewidth=1.4,
                label=which.replace("_", " "),
            )
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("bottom", "left"):
        axes.spines[side].set_color(INK)
    axes.tick_params(colors=INK, labelsize=8)
    axes.set_xlabel("step", color=INK, fontsize=8)
    axes.legend(frameon=False, labelcolor=INK, fontsize=8)
