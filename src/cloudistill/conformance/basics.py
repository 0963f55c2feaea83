"""What every backend promises, whatever it can do: a name, a payer, errors in our tree, and no secret anywhere."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest

from cloudistill.backends import backend as seam
from cloudistill.conformance.subject import Said, Subject
from cloudistill.core.errors import AuthenticationFailed, PlatformError
from cloudistill.core.finding import Finding
from cloudistill.core.refs import ModelRef
from cloudistill.pipeline.retry import once

WORDS = "not today"


def refuse(subject: Subject, kind: type[PlatformError], words: str = WORDS, **fault: Any) -> Said:
    """Have the next request refused with `words`, as the vendor says `kind`; gives what it will say."""
    said = subject.says(kind, words)
    headers = said.headers | fault.pop("headers", {})
    subject.wire.fail("", status=said.status, body=said.body, headers=headers, **fault)
    return said


def trouble(subject: Subject, call: Callable[[], Any]) -> PlatformError:
    """What `call` raises, as the pipeline sees it; it survives pickling with everything it says, and holds no key."""
    with pytest.raises(PlatformError) as caught:
        once(subject.backend, call)
    error = caught.value
    copy = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert (type(copy), str(copy), vars(copy)) == (type(error), str(error), vars(error))
    assert error.platform == subject.backend.platform
    assert not subject.secret or subject.secret not in f"{error!r} {error} {vars(error)}"
    return error


class BackendPromises:
    """The promises of a `Backend`. Derive from the promises of its abilities instead: they include these."""

    ability: ClassVar[type] = seam.Backend

    @pytest.fixture
    def marker(self, request: pytest.FixtureRequest) -> str:
        """An order's marker that no other test uses."""
        return hashlib.sha256(request.node.nodeid.encode()).hexdigest()[:32]

    def test_every_ability_it_has_is_held_to_its_promises(self, subject: Subject) -> None:
        has = {ability for ability in seam.ABILITIES if isinstance(subject.backend, ability)}
        held = {kind.ability for kind in type(self).__mro__ if issubclass(kind, BackendPromises)} - {seam.Backend}
        assert held == has

    def test_it_is_installed_under_its_platforms_name(self, subject: Subject) -> None:
        made = seam.available()[subject.backend.platform]
        assert made == f"{type(subject.backend).__module__}:{type(subject.backend).__qualname__}"

    def test_it_says_who_pays(self, subject: Subject) -> None:
        payer = once(subject.backend, subject.backend.payer)
        assert payer == payer.strip() != ""
        assert payer == once(subject.backend, subject.backend.payer)

    def test_a_good_account_has_nothing_wrong_with_it(self, subject: Subject) -> None:
        found: list[Finding] = once(subject.backend, lambda: subject.backend.preflight(subject.student))
        assert not [finding for finding in found if finding.is_error]

    def test_a_preflight_names_what_is_wrong_and_the_way_out(self, subject: Subject) -> None:
        broken = subject.elsewhere("http://127.0.0.1:9")
        found: list[Finding] = once(broken, lambda: broken.preflight(subject.student))
        assert any(finding.is_error for finding in found)
        assert all(finding.rule and finding.message and finding.remedy for finding in found)

    def test_a_preflight_whose_key_is_refused_says_so(self, subject: Subject) -> None:
        before = len(subject.wire.requests)
        refuse(subject, AuthenticationFailed, times=20)
        found: list[Finding] = once(subject.backend, lambda: subject.backend.preflight(subject.student))
        assert any(finding.is_error for finding in found) or len(subject.wire.requests) == before

    def test_no_secret_is_in_its_repr_or_its_payer(self, subject: Subject) -> None:
        shown = f"{subject.backend!r} {once(subject.backend, subject.backend.payer)}"
        assert not subject.secret or subject.secret not in shown

    def test_an_exception_of_nobodys_is_named_and_not_repeated(self, subject: Subject) -> None:
        error = subject.backend.classify(KeyError("whatever"))
        assert type(error) is PlatformError
        assert not error.retryable
        assert error.outcome == "maybe"

    def test_the_student_is_one_of_the_platforms_own(self, subject: Subject) -> None:
        assert subject.student == ModelRef(subject.backend.platform, subject.student.id)
