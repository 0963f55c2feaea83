"""One pipeline that distils a teacher model into a cheap student on OpenAI, Amazon Bedrock or Google Vertex AI.

The public names below are loaded when they are first used: `import cloudistill` loads no SDK and no database.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cloudistill.backends.backend import (
        Answer,
        Answers,
        Backend,
        Checkpoints,
        Deletes,
        Deploys,
        Distils,
        Offers,
        Pauses,
        Reports,
        Request,
        Trains,
        connect,
    )
    from cloudistill.core import errors
    from cloudistill.core.example import Example, Message, Tool, ToolCall
    from cloudistill.core.finding import Finding
    from cloudistill.core.job import (
        Checkpoint,
        Condition,
        Deployment,
        Job,
        JobEvent,
        JobSpec,
        JobStatus,
        Logs,
        Offer,
        PromptReport,
        RunStatus,
        StepMetrics,
        Usage,
        Vpc,
    )
    from cloudistill.core.refs import FileRef, JobRef, ModelRef
    from cloudistill.formats.dataset import Dataset
    from cloudistill.pipeline.listing import Jobs
    from cloudistill.pipeline.recipe import Recipe
    from cloudistill.pipeline.run import Run
    from cloudistill.pipeline.store import Store
    from cloudistill.pipeline.verbs import chat, check, convert, distill, get, jobs, submit, watch
    from cloudistill.platforms.platform import Platform

__version__ = "0.1.0"

_HOMES = {
    "cloudistill.backends.backend": (
        "Answer",
        "Answers",
        "Backend",
        "Checkpoints",
        "Deletes",
        "Deploys",
        "Distils",
        "Offers",
        "Pauses",
        "Reports",
        "Request",
        "Trains",
        "connect",
    ),
    "cloudistill.core.example": ("Example", "Message", "Tool", "ToolCall"),
    "cloudistill.core.finding": ("Finding",),
    "cloudistill.core.job": (
        "Checkpoint",
        "Condition",
        "Deployment",
        "Job",
        "JobEvent",
        "JobSpec",
        "JobStatus",
        "Logs",
        "Offer",
        "PromptReport",
        "RunStatus",
        "StepMetrics",
        "Usage",
        "Vpc",
    ),
    "cloudistill.core.refs": ("FileRef", "JobRef", "ModelRef"),
    "cloudistill.formats.dataset": ("Dataset",),
    "cloudistill.pipeline.listing": ("Jobs",),
    "cloudistill.pipeline.recipe": ("Recipe",),
    "cloudistill.pipeline.run": ("Run",),
    "cloudistill.pipeline.store": ("Store",),
    "cloudistill.pipeline.verbs": ("chat", "check", "convert", "distill", "get", "jobs", "submit", "watch"),
    "cloudistill.platforms.platform": ("Platform",),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022 - the verbs, then the types
    "distill",
    "check",
    "convert",
    "chat",
    "watch",
    "connect",
    "submit",
    "get",
    "jobs",
    "errors",
    "Answer",
    "Answers",
    "Backend",
    "Checkpoint",
    "Checkpoints",
    "Condition",
    "Dataset",
    "Deletes",
    "Deployment",
    "Deploys",
    "Distils",
    "Example",
    "FileRef",
    "Finding",
    "Job",
    "JobEvent",
    "JobRef",
    "JobSpec",
    "JobStatus",
    "Jobs",
    "Logs",
    "Message",
    "ModelRef",
    "Offer",
    "Offers",
    "Pauses",
    "Platform",
    "PromptReport",
    "Recipe",
    "Reports",
    "Request",
    "Run",
    "RunStatus",
    "StepMetrics",
    "Store",
    "Tool",
    "ToolCall",
    "Trains",
    "Usage",
    "Vpc",
]


def __getattr__(name: str) -> Any:
    if name == "errors":
        return importlib.import_module("cloudistill.core.errors")
    if name not in _HOME:
        raise AttributeError(f"module 'cloudistill' has no attribute {name!r}")
    value = getattr(importlib.import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
