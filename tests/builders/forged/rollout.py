"""Rollout of injected workloads: the first injections, and the moves to a key that another party stores."""

from dataclasses import replace
from typing import Any, Final

from secure_redis.api import names
from secure_redis.domain.observe.keys import Slot
from secure_redis.domain.observe.workloads import BudgetFacts
from tests.builders import passes
from tests.builders.forged.claims import REFRESH, of
from tests.builders.forged.story import Phase, Story, until
from tests.builders.lifecycle import Life
from tests.builders.rotation_stage import LISTED
from tests.builders.workloads import workload
from tests.builders.world import AUTHENTICATION

# The story begins at noon.
AT_NIGHT: Final = {"schedule": "0 22 * * *", "durationMinutes": 720}
COVERED: Final = frozenset(("Deployment", name) for name in LISTED)


def _consumers(**rotation: Any) -> Life:
    """Two workloads of two pods each, which follow the key that another party stores."""
    made = Life(
        key_vault=dict(AUTHENTICATION["keyVault"]),
        rotation_spec=rotation,
        cache=passes.cache(),
        annotations={names.REFRESH: "first"},
        workloads={name: workload(name, replicas=2) for name in LISTED},
    )
    for name in made.workloads:
        made.start(name)
        made.start(name)
    return made


def _refusing() -> Life:
    """The workloads' owner does not consent yet."""
    made = _consumers()
    for name, facts in made.workloads.items():
        made.workloads[name] = replace(facts, labels={})
    return until(made, lambda there: there.secret is not None and there.condition("WorkloadsCurrent") is not None)


def _first() -> Life:
    """The first workload was injected, and rolls."""
    return until(_consumers(), lambda made: any(one.startswith("InjectWorkload") for one in made.acts))


def _injected(**rotation: Any) -> Life:
    made = until(_consumers(**rotation), _ended)
    for _ in range(3):
        made.next_pass()
    return made


def _new_key(**rotation: Any) -> Life:
    """Another party has stored the other key."""
    made = _injected(**rotation)
    made.pass_time(3600)
    made.store(Slot.SECONDARY)
    return made


def _moving() -> Life:
    made = _new_key()
    made.acts.clear()
    return until(made, lambda there: any(one.startswith("InjectWorkload") for one in there.acts))


def _protected() -> Life:
    made = _new_key()
    made.budgets = (BudgetFacts("web", allowed=0, expected=4, covers=COVERED),)
    return until(made, lambda there: there.condition("WorkloadsCurrent") == "TargetBudget")


def _windowed() -> Life:
    return until(_new_key(windows=[AT_NIGHT]), lambda there: there.condition("WorkloadsCurrent") == "OutsideWindow")


def _consent(made: Life) -> None:
    for name, facts in made.workloads.items():
        made.workloads[name] = replace(facts, labels={names.INJECT: "true"})


def _allow(made: Life) -> None:
    made.annotate(names.ALLOW_DISRUPTION, "workloads")


def _repair(made: Life) -> None:
    made.budgets = (BudgetFacts("web", allowed=1, expected=4, covers=COVERED),)


def _ended(made: Life) -> bool:
    current = all(pod.key == made.vault.value.get_secret_value() for pod in made.pods if made.vault.value)
    return current and all(one.rolled for one in made.workloads.values()) and _reported(made)


def _reported(made: Life) -> bool:
    return made.condition("WorkloadsCurrent") == "WorkloadsCurrent" and made.secret is not None


ROLLOUT: Final = Story(
    section="Rollout of injected workloads",
    phases={
        "Not consenting": Phase(_refusing, _ended, waits_for=_consent),
        "First wave": Phase(_first, _ended),
        "Injected": Phase(_injected, _ended),
        "New key": Phase(_new_key, _ended),
        "Moving": Phase(_moving, _ended),
        "Protected by a budget": Phase(_protected, _ended, waits_for=_repair),
        "Outside its window": Phase(_windowed, _ended, waits_for=_allow),
    },
    forgeries=of("observedGeneration", "conditions", "credential", "rotation", "workloads", "lastHandled"),
    remedies=(REFRESH,),
)
