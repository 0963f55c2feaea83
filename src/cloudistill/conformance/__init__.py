"""The promises every backend keeps, as tests with sentence names; for authors of plug-ins, and for our own backends.

Describe your vendor once as a `Subject`, give it in a fixture, and derive one class from the promises of each ability
that your backend has; pytest collects the rest:

    class TestAcme(TrainsPromises, AnswersPromises):
        @pytest.fixture
        def subject(self) -> Iterator[Subject]: ...

    class TestAcmeFacts(PlatformPromises):
        platform = "acme"

Needs pytest: `pip install 'cloudistill[conformance]'`.
"""

from __future__ import annotations

import pkgutil

import pytest

pytest.register_assert_rewrite(*(module.name for module in pkgutil.iter_modules(__path__, f"{__name__}.")))

from cloudistill.conformance.answering import AnswersPromises, DeploysPromises, RemembersPromises  # noqa: E402
from cloudistill.conformance.basics import BackendPromises  # noqa: E402
from cloudistill.conformance.facts import PlatformPromises  # noqa: E402
from cloudistill.conformance.following import (  # noqa: E402
    CheckpointsPromises,
    DistilsPromises,
    PausesPromises,
    ReportsPromises,
)
from cloudistill.conformance.formats import FormatPromises  # noqa: E402
from cloudistill.conformance.keeping import DeletesPromises, OffersPromises  # noqa: E402
from cloudistill.conformance.subject import Said, Subject, Wire  # noqa: E402
from cloudistill.conformance.training import TrainsPromises  # noqa: E402

__all__ = [
    "AnswersPromises",
    "BackendPromises",
    "CheckpointsPromises",
    "DeletesPromises",
    "DeploysPromises",
    "DistilsPromises",
    "FormatPromises",
    "OffersPromises",
    "PausesPromises",
    "PlatformPromises",
    "RemembersPromises",
    "ReportsPromises",
    "Said",
    "Subject",
    "TrainsPromises",
    "Wire",
]
