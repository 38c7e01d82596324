"""Correction: a difference is reported, then corrected, and left alone once another party has restored it twice."""

from datetime import timedelta
from typing import Any, Final

from secure_redis.api import names
from secure_redis.domain.observe.redis import Redis
from tests.builders import passes
from tests.builders.forged.claims import ACCESS, REFRESH, of
from tests.builders.forged.story import Phase, Story, until
from tests.builders.lifecycle import Life
from tests.builders.passes import OWNER

CLOSE_PORT: Final = "UpdateCache enableNonSslPort"
CORRECTING: Final[dict[str, Any]] = {
    "mode": "Provision",
    "provision": passes.PROVISION,
    "drift": {"correct": ["Security", "Availability"]},
}
# The story begins at noon.
AT_NIGHT: Final = {"schedule": "0 22 * * *", "durationMinutes": 720}


def _correcting(**spec: Any) -> Life:
    """A resource at rest that corrects its cache."""
    made = Life(spec={**CORRECTING, **spec}, cache=passes.cache(tags=OWNER), annotations={names.REFRESH: "first"})
    for _ in range(4):
        made.next_pass()
    return made


def _new(**spec: Any) -> Life:
    """Another party has just opened the plaintext port."""
    made = _correcting(**spec)
    made.change_cache(plaintext_open=True)
    return made


def _reported(**spec: Any) -> Life:
    return until(_new(**spec), lambda made: bool(made.status["drift"]))


def _windowed() -> Life:
    return _reported(drift={**CORRECTING["drift"], "windows": [AT_NIGHT]})


def _came_back() -> Life:
    """The operator has closed the port once, and the other party has opened it again."""
    made = _reported()
    made.reverted = 1
    return until(made, lambda there: CLOSE_PORT in there.acts)


def _contested() -> Life:
    """The other party opens the port as often as it is closed."""
    made = _reported()
    made.reverted = 10
    return until(made, _is_contested)


def _disruptive() -> Life:
    """Another party has opened public access. To close it would leave the clients without a way to the cache."""
    made = _correcting()
    made.change_cache(public_network_access="Enabled", private_endpoints=())
    return until(made, lambda there: there.condition("DriftDetected") == "WouldDisconnect")


def _allow(made: Life) -> None:
    made.annotate(names.ALLOW_DISRUPTION, ACCESS)


def _night(made: Life) -> None:
    made.now = made.now.replace(hour=22, minute=0, second=0) + timedelta(minutes=1)


def _corrected(made: Life) -> bool:
    assert isinstance(made.cache, Redis)
    closed = not made.cache.plaintext_open and made.cache.public_network_access == "Disabled"
    return closed and not made.status["drift"]


def _is_contested(made: Life) -> bool:
    return made.condition("DriftDetected") == "Contested"


CORRECTION: Final = Story(
    section="Correction",
    phases={
        "New": Phase(_new, _corrected),
        "Reported": Phase(_reported, _corrected),
        "Outside its window": Phase(_windowed, _corrected, waits_for=_night),
        "Not allowed": Phase(_disruptive, _corrected, waits_for=_allow),
        "Came back": Phase(_came_back, _corrected),
        "Contested": Phase(_contested, _is_contested),
    },
    forgeries=of("observedGeneration", "conditions", "drift", "corrections", "pending", "lastHandled"),
    again={CLOSE_PORT: "corrections"},
    remedies=(REFRESH,),
)
