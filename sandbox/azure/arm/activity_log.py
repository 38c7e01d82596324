"""Microsoft.Insights: the part of the Activity Log that shows who changed a cache."""

import re
from datetime import UTC, datetime
from typing import Any

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import api_version, authorize, subscription
from sandbox.azure.responses import Answer, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state import managed_redis

PORTAL_USER = "colleague@shop.test"  # the portal's user
ACTION = "Microsoft.Insights/eventtypes/values/read"
_TERM = re.compile(r"\s*(eventTimestamp|resourceUri)\s+(ge|le|eq)\s+'([^']*)'\s*", re.IGNORECASE)
_OPERATIONS = {
    "cache.create": "write",
    "cache.update": "write",
    "cache.delete": "delete",
    "cluster.create": "write",
    "cluster.update": "write",
    "cluster.delete": "delete",
    "database.put": "write",
    "database.delete": "delete",
    "firewallRule.set": "write",
    "firewallRule.delete": "delete",
    "patchSchedule.set": "write",
}


def route(call: Call, subscription_id: str) -> Answer:
    """GET /subscriptions/{s}/providers/Microsoft.Insights/eventtypes/management/values."""
    api_version(call)
    found = subscription(call, subscription_id)
    authorize(call, ACTION, seeds.subscription_scope(found.id))
    terms = [_TERM.fullmatch(term) for term in re.split(r"\s+and\s+", call.request.query.get("$filter", ""))]
    if call.method != "GET" or not all(terms):
        raise Refusal(400, "BadRequest", "The filter is not supported.")
    wanted = {(term[1].lower(), term[2].lower()): term[3] for term in terms if term is not None}
    if ("eventtimestamp", "ge") not in wanted:
        raise Refusal(400, "BadRequest", "The start time is required.")
    since = datetime.fromisoformat(wanted["eventtimestamp", "ge"]).timestamp()
    target = wanted.get(("resourceuri", "eq"), "").lower()
    done = [
        (effect.time, effect.target, _OPERATIONS[effect.kind], effect.principal)
        for effect in call.world.log.effects
        if effect.kind in _OPERATIONS
    ]
    done += [(time, scope, operation, None) for time, scope, operation in call.world.log.by_others]
    kept = [one for one in sorted(done, reverse=True, key=lambda one: one[0]) if one[0] >= since]
    return Answer(200, {"value": [_event(call, *one) for one in kept if target in ("", one[1].lower())]})


def _kind(target: str) -> str:
    if "/redisenterprise/" in target:
        return f"{managed_redis.TYPE}/databases" if "/databases/" in target else managed_redis.TYPE
    child = next((one for one in ("firewallRules", "patchSchedules") if f"/{one.lower()}/" in target), None)
    return "Microsoft.Cache/redis" if child is None else f"Microsoft.Cache/redis/{child}"


def _event(call: Call, time: float, target: str, operation: str, principal: str | None) -> dict[str, Any]:
    word = f"{_kind(target.lower())}/{operation}"
    application = next((app.client_id for app in call.world.apps.values() if app.object_id == principal), None)
    return {
        # An application appears by its object id, a user of the portal by a user principal name.
        "caller": principal or PORTAL_USER,
        "claims": {"appid": application} if application else {},
        "eventTimestamp": datetime.fromtimestamp(time, UTC).isoformat().replace("+00:00", "Z"),
        "operationName": {"value": word, "localizedValue": word},
        "status": {"value": "Succeeded", "localizedValue": "Succeeded"},
        "resourceId": target,
    }
