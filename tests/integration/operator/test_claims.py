"""A resource whose annotation names an install that does not run: Unknown, and taken up when the annotation goes."""

from collections.abc import Iterator

import pytest

from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.waiting import PATIENCE, wait_for
from secure_redis.api import names
from tests.integration.operator.support import Case

GONE = "OperatorGone"
# Those that the resource had before the annotation was changed.
KINDS = ("Ready", "CacheAvailable", "TransportSecured", "Compliant", "DriftDetected", "CredentialsSynced")


@pytest.fixture
def claimed(case: Case) -> Iterator[Case]:
    case.published()
    yield case
    case.annotate(operator=None)


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("elsewhere/other", "names no Lease of an operator"),
        ("elsewhere/secure-redis-operator", "does not exist, or has no holder"),
    ],
    ids=["G02 no operator's Lease", "G02 a Lease that does not exist"],
)
def test_nothing_stays_green(claimed: Case, value: str, why: str) -> None:
    # Admission refuses it from all others: the administrator of this world is one of `policies.statusWriters`.
    claimed.annotate(operator=value)
    message = claimed.until("Ready", "Unknown", GONE)
    assert why in message
    assert "remove the annotation" in message
    for kind in KINDS:
        assert claimed.condition(kind)[:2] == ("Unknown", GONE), kind
    own = f"{RELEASE_NAMESPACE}/secure-redis-operator"
    claimed.annotate(operator=None)
    wait_for(
        lambda: claimed.object["metadata"]["annotations"].get(names.OPERATOR) == own, PATIENCE, "it to be taken up"
    )
    claimed.until("TransportSecured", "True")
    claimed.until("Ready", "True")
