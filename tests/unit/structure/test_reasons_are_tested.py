"""Every reason is expected by a test. A reason that no test expects can be renamed, or never be reported."""

import re
from pathlib import Path

import pytest

from secure_redis.api.reasons.reason import Reason

TESTS = Path(__file__).parents[2]
WORDS = {
    word
    for file in TESTS.rglob("*.py")
    if file != Path(__file__)
    for word in re.findall(r"\w+", file.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("reason", Reason, ids=str)
def test_a_test_expects_the_reason(reason: Reason) -> None:
    assert {reason.name, str(reason)} & WORDS
