"""Adoption: an existing cache is shown, requested by name, and tagged. Only then is it corrected."""

from dataclasses import replace
from typing import Final

from secure_redis.api import names
from secure_redis.domain.observe.redis import Redis
from tests.builders import passes
from tests.builders.forged.claims import REFRESH, of
from tests.builders.forged.story import Phase, Story, until
from tests.builders.lifecycle import OWNED, Life

ANOTHER: Final = {names.OWNER_TAG: "cluster.another"}


def _shown(tags: dict[str, str] | None = None, **annotations: str) -> Life:
    """A resource in mode Provision for a cache that it did not create. Its plaintext port is open."""
    made = Life(
        spec={
            "mode": "Provision",
            "provision": passes.PROVISION,
            "drift": {"correct": ["Security"]},
            "deletionPolicy": "Delete",
        },
        cache=passes.cache(tags=tags or {}, plaintext_open=True),
        annotations={names.REFRESH: "first", **annotations},
    )
    for _ in range(3):
        made.next_pass()
    return made


def _wrong_name() -> Life:
    made = _shown()
    made.annotate(names.ADOPT, "another")
    return made


def _foreign() -> Life:
    made = _shown(tags=ANOTHER)
    made.annotate(names.ADOPT, "orders")
    return made


def _requested() -> Life:
    made = _shown()
    made.annotate(names.ADOPT, "orders")
    return made


def _tagged() -> Life:
    return until(_requested(), lambda made: "AdoptCache" in made.acts)


def _adopt(made: Life) -> None:
    made.annotate(names.ADOPT, "orders")


def _owner_leaves(made: Life) -> None:
    assert isinstance(made.cache, Redis)
    made.cache = replace(made.cache, tags={})


def _ended(made: Life) -> bool:
    assert isinstance(made.cache, Redis)
    return made.cache.tags.get(names.OWNER_TAG) == OWNED and not made.cache.plaintext_open and not made.status["drift"]


ADOPTION: Final = Story(
    section="Adoption",
    phases={
        "Shown": Phase(_shown, _ended, waits_for=_adopt),
        "Another name": Phase(_wrong_name, _ended, waits_for=_adopt),
        "Owned by another": Phase(_foreign, _ended, waits_for=_owner_leaves),
        "Requested": Phase(_requested, _ended),
        "Tagged": Phase(_tagged, _ended),
    },
    forgeries=of("conditions", "cache", "drift", "corrections", "pending"),
    remedies=(REFRESH,),
)
