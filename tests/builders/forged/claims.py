"""The statuses that a party claims who may write the status and nothing else, part by part."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

from secure_redis.api import names
from secure_redis.api.times import rfc3339
from secure_redis.domain.assess.rules import RULES
from tests.builders.forged.story import Forgery, Status
from tests.builders.lifecycle import Life

PORT: Final = "transport.nonTLSPort"
ACCESS: Final = "network.publicAccess"
NETWORK: Final = (ACCESS, "network.firewallRules[office]")
PATHS: Final = (PORT, *NETWORK, "persistence.type", "provision.identity.type")


def without(*parts: str) -> Forgery:
    """Return the forgery that removes parts."""
    return lambda there: {name: value for name, value in there.status.items() if name not in parts}


def claims(**parts: Any) -> Forgery:
    """Return the forgery that writes parts; what is callable gets the world."""

    def forge(there: Life) -> Status:
        return {**there.status, **{name: one(there) if callable(one) else one for name, one in parts.items()}}

    return forge


def all_of(*forgeries: Forgery) -> Forgery:
    """Return the forgery that makes several claims at the same time."""

    def forge(there: Life) -> Status:
        found: Status = {}
        for one in forgeries:
            found |= {name: value for name, value in one(there).items() if value != there.status.get(name)}
        return {**there.status, **found}

    return forge


def pending(action: str) -> Forgery:
    """Return the claim that this action was recorded long ago."""
    return claims(pending={"action": action, "recordedAt": "2026-11-24T08:00:00Z", "detail": "orders"})


def _condition(kind: str, status: str, reason: str, since: str = "2026-08-24T08:00:00Z") -> dict[str, Any]:
    made = {"type": kind, "status": status, "reason": reason, "message": "forged", "lastTransitionTime": since}
    return {**made, "observedGeneration": 1}


def _conditions(*claimed: dict[str, Any]) -> Any:
    def of(there: Life) -> list[dict[str, Any]]:
        kinds = {one["type"] for one in claimed}
        return [*claimed, *(one for one in there.status.get("conditions", ()) if one["type"] not in kinds)]

    return of


def _now(there: Life) -> str:
    return rfc3339(there.now)


def _refused(there: Life) -> dict[str, Any]:
    return {"action": "CreateCache", "recordedAt": _now(there), "detail": "orders"}


def _corrections(count: int, reason: str | None = None, paths: tuple[str, ...] = PATHS) -> Any:
    def of(there: Life) -> list[dict[str, Any]]:
        record = {"count": count, "at": _now(there), "generation": there.generation, "reason": reason}
        return [{"path": path, **record} for path in paths]

    return of


def _workloads(**claimed: Any) -> Any:
    def of(there: Life) -> list[dict[str, Any]]:
        return [
            {"id": name, "kind": "Deployment", "name": name, "uid": facts.uid, "injected": True, **claimed}
            for name, facts in there.workloads.items()
        ]

    return of


def _published(there: Life) -> dict[str, Any]:
    early = rfc3339(there.now - timedelta(days=90))
    version = there.vault.version if there.versions else "f" * 32
    return {"slot": "Secondary", "keyVaultVersion": version, "publishedAt": early}


THERE: Final = {"hostName": "orders.redis.cache.windows.net", "port": 6380, "ownership": "Owned"}
DRIFT: Final = [
    {"path": path, "declared": "x", "observed": "y", "class": "Security", "since": "2026-08-24T08:00:00Z"}
    for path in PATHS
]

LOST: Final[Mapping[str, Forgery]] = {
    "everything is lost": lambda _: {},
    **{
        f"`{part}` is lost": without(part)
        for part in (
            "observedGeneration",
            "conditions",
            "binding",
            "cache",
            "compliance",
            "drift",
            "corrections",
            "credential",
            "rotation",
            "pending",
            "workloads",
            "lastHandled",
        )
    },
}

CLAIMS: Final[Mapping[str, Forgery]] = {
    "`observedGeneration` claims another generation": claims(observedGeneration=7),
    "`conditions` claim that the cache is gone": claims(
        conditions=_conditions(_condition("CacheAvailable", "False", "CacheGone"))
    ),
    "`conditions` and `pending` claim that Azure refused a creation just now": claims(
        conditions=_conditions(_condition("Stalled", "True", "DeniedByPolicy")), pending=_refused
    ),
    "`conditions` claim that a rollout takes months": claims(
        conditions=_conditions(_condition("WorkloadsCurrent", "False", "RollingOut"))
    ),
    "`binding` claims another Secret": claims(binding={"name": "another"}),
    "`cache` claims that the operator created it": claims(cache={**THERE, "provisioningState": "Succeeded"}),
    "`cache` claims that Azure works on it": claims(cache={**THERE, "provisioningState": "Updating"}),
    "`compliance` claims that every rule passed": claims(
        compliance={"passedRules": " ".join(rule.id for rule in RULES), "findings": []}, observedGeneration=1
    ),
    "`drift` claims that every difference was reported": claims(drift=DRIFT),
    "`corrections` claims that every path is contested": claims(corrections=_corrections(2)),
    "`corrections` claims that the network is contested": claims(corrections=_corrections(2, paths=NETWORK)),
    "`corrections` claims that Azure refused every path just now": claims(
        corrections=_corrections(0, "DeniedByPolicy")
    ),
    "`credential` claims an old publication": claims(credential=_published),
    "`rotation` claims an intended emergency": claims(
        rotation=lambda there: {
            "phase": "Intended",
            "request": "emergency-x",
            "target": "Secondary",
            "startedAt": _now(there),
            "recordedAt": _now(there),
        }
    ),
    "`pending` claims a recorded creation": pending("CreateCache"),
    "`pending` claims a creation whose network is not set": pending("CompleteCache"),
    "`pending` claims a creation whose persistence is not set": pending("PersistCache"),
    "`pending` claims a recorded deletion": pending("DeleteCache"),
    "`workloads` claims that every pod has moved": claims(workloads=_workloads()),
    "`workloads` claims that nothing was injected": claims(workloads=_workloads(injected=False)),
    "`workloads` claims that every rollout is under way": claims(workloads=_workloads(reason="RollingOut")),
    "`workloads` claims that every rollout failed": claims(workloads=_workloads(reason="RolloutFailed")),
    "`workloads` claims that budgets allow nothing": claims(workloads=_workloads(reason="TargetBudget")),
    "`workloads` claims that every injection was dropped three times": claims(workloads=_workloads(dropped=3)),
    "`lastHandled` claims another refresh": claims(lastHandled={"refresh": "another"}),
    "`lastHandled` claims an answered rotation": claims(lastHandled={"refresh": "first", "rotate": "please"}),
}
_NAMED: Final = re.compile(r"`(\w+)`")


def of(*parts: str) -> Mapping[str, Forgery]:
    """Return the forgeries of these parts, one by one, and those of all other parts together."""
    everything = {**LOST, **CLAIMS}
    own = {name: one for name, one in everything.items() if set(_NAMED.findall(name)) <= set(parts)}
    others = [one for name, one in CLAIMS.items() if name not in own]
    return {**own, "every other field claims something": all_of(*others)}


def _refresh(there: Life) -> None:
    there.annotate(names.REFRESH, "again")


REFRESH: Final = ("until a refresh is requested", _refresh)
