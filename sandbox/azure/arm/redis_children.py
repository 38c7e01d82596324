"""Children of a cache: firewall rules, private endpoint connections, the patch schedule."""

import ipaddress
import re
from typing import Any

from sandbox.azure.access.call import Call
from sandbox.azure.arm import redis_validation
from sandbox.azure.arm.common import (
    authorize,
    group,
    page,
    writable,
)
from sandbox.azure.arm.preconditions import check_busy, check_lock
from sandbox.azure.responses import Answer, Json, Refusal, cache_refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state.redis import TYPE, CacheState

_RULE_NAME = re.compile(r"[A-Za-z0-9_]{1,256}")
_HOURS = re.compile(r"PT([0-9]{1,2})H")
_DAYS = (
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
    "Everyday",
    "Weekend",
)


async def route(call: Call, found: seeds.Subscription, scope: str, parts: list[str], group_name: str) -> Answer:
    """Requests below /redis/{name}/{child}; `parts` begins with the cache's name."""
    child = {
        "firewallrules": "firewallRules",
        "privateendpointconnections": "privateEndpointConnections",
        "patchschedules": "patchSchedules",
    }[parts[1].lower()]
    verb = {"GET": "read", "PUT": "write", "DELETE": "delete"}.get(call.method)
    if verb is None or len(parts) > 3:
        raise _not_supported()
    authorize(call, f"Microsoft.Cache/redis/{child}/{verb}", scope)
    group(call, found.id, group_name)
    cache = call.world.cache(found.id, group_name, parts[0])
    if cache is None:
        raise Refusal(
            404,
            "ParentResourceNotFound",
            f"Failed to perform '{verb}' on resource(s) of type 'redis/{child}', because the parent resource '{scope}' "
            "could not be found.",
        )
    name = parts[2] if len(parts) == 3 else None
    if child == "firewallRules":
        return await _rules(call, found, cache, name)
    if child == "patchSchedules" and verb == "write":
        return await _put_schedule(call, found, cache, name)
    if verb != "read":
        # Only the platform team makes and approves these here: by the control port.
        raise _not_supported()
    if child == "privateEndpointConnections":
        return _endpoints(call, cache, name)
    return _schedules(cache, name, call.request_id)


async def _rules(call: Call, found: seeds.Subscription, cache: CacheState, name: str | None) -> Answer:
    qualified = call.world.settings.qualified_rule_names
    if name is None:
        if call.method != "GET":
            raise _not_supported()
        return page(
            call, [cache.show_rule(rule, qualified=qualified) for rule in cache.firewall], call.world.settings.page_size
        )
    known = next((rule for rule in cache.firewall if rule.lower() == name.lower()), None)
    if call.method == "GET":
        if known is None:
            raise _child_not_found(cache, "firewallRules", name)
        return Answer(200, cache.show_rule(known, qualified=qualified))
    writable(found)
    check_lock(call, cache.scope, "delete" if call.method == "DELETE" else "write")
    if call.method == "DELETE":
        if known is None:
            return Answer(204)
        check_busy(call, cache)
        del cache.firewall[known]
        await call.world.changed(cache)
        call.effect("firewallRule.delete", f"{cache.scope}/firewallRules/{known}")
        return Answer(200)
    check_busy(call, cache)
    if not _RULE_NAME.fullmatch(name):
        raise redis_validation.bad_value("name", call.request_id)
    cache.firewall[known or name] = _range(call)
    await call.world.changed(cache)
    call.effect("firewallRule.set", f"{cache.scope}/firewallRules/{known or name}", ("startIP", "endIP"))
    shown = {**cache.show_rule(known or name, qualified=qualified), "type": "Microsoft.Cache/redis/firewallRules"}
    if known is not None:
        return Answer(200, shown)
    query = call.request.query_string
    return Answer(201, shown, {"Location": f"{call.world.names.management}{call.path}?{query}"})


def _range(call: Call) -> tuple[str, str]:
    given = call.json().get("properties") or {}
    ends: list[str] = []
    for key in ("startIP", "endIP"):
        try:
            ends.append(str(ipaddress.IPv4Address(given.get(key))))
        except (ValueError, TypeError):
            raise redis_validation.bad_value(f"properties.{key}", call.request_id) from None
    if ipaddress.IPv4Address(ends[0]) > ipaddress.IPv4Address(ends[1]):
        raise redis_validation.bad_value("properties.endIP", call.request_id)
    return ends[0], ends[1]


def _endpoints(call: Call, cache: CacheState, name: str | None) -> Answer:
    if name is None:
        return Answer(200, {"value": [cache.show_endpoint(e) for e in cache.private_endpoints.values()]})
    endpoint = cache.private_endpoints.get(name)
    if endpoint is None:
        raise _child_not_found(cache, "privateEndpointConnections", name)
    return Answer(200, cache.show_endpoint(endpoint))


def _schedules(cache: CacheState, name: str | None, request_id: str) -> Answer:
    shown = [
        {
            "id": f"{cache.id}/patchSchedules/default",
            "name": f"{cache.name}/default",
            "type": f"{TYPE}/PatchSchedules",
            "location": cache.location,
            "properties": {"scheduleEntries": entries},
        }
        for entries in [cache.patch_entries]
        if entries is not None
    ]
    if name is None:
        if not shown:
            raise _no_schedule(cache, request_id)
        return Answer(200, {"value": shown})
    if name.lower() != "default":
        raise _child_not_found(cache, "patchSchedules", name)
    if not shown:
        raise _no_schedule(cache, request_id)
    return Answer(200, shown[0])


async def _put_schedule(call: Call, found: seeds.Subscription, cache: CacheState, name: str | None) -> Answer:
    """PUT patchSchedules/default: it replaces all entries. 201 for the first one."""
    if name is None or name.lower() != "default":
        raise _not_supported()
    writable(found)
    check_lock(call, cache.scope, "write")
    check_busy(call, cache)
    given = (call.json().get("properties") or {}).get("scheduleEntries")
    if not isinstance(given, list) or not given:
        raise redis_validation.bad_value("properties.scheduleEntries", call.request_id)
    entries, before = [_entry(call, one) for one in given], cache.patch_entries
    cache.patch_entries = entries
    await call.world.changed(cache)
    call.effect("patchSchedule.set", f"{cache.scope}/patchSchedules/default", ("scheduleEntries",))
    return Answer(201 if before is None else 200, _schedules(cache, name, call.request_id).body)


def _entry(call: Call, given: Any) -> Json:
    """Return one entry as it is answered. The length is at least five hours, and five where none is given."""
    one = given if isinstance(given, dict) else {}
    day = next((word for word in _DAYS if word.lower() == str(one.get("dayOfWeek")).lower()), None)
    hour, lasts = one.get("startHourUtc"), one.get("maintenanceWindow") or "PT5H"
    if day is None:
        raise redis_validation.bad_value("properties.scheduleEntries.dayOfWeek", call.request_id)
    if isinstance(hour, bool) or not isinstance(hour, int) or not 0 <= hour <= 23:
        raise redis_validation.bad_value("properties.scheduleEntries.startHourUtc", call.request_id)
    found = _HOURS.fullmatch(str(lasts))
    if found is None or not 5 <= int(found[1]) <= 24:
        raise redis_validation.bad_value("properties.scheduleEntries.maintenanceWindow", call.request_id)
    return {"dayOfWeek": day, "startHourUtc": hour, "maintenanceWindow": str(lasts)}


def _no_schedule(cache: CacheState, request_id: str) -> Refusal:
    return cache_refusal(
        404, "ResourceNotFound", f"There are no patch schedules found for redis cache '{cache.name}'.", request_id
    )


def _child_not_found(cache: CacheState, child: str, name: str) -> Refusal:
    return Refusal(
        404,
        "ResourceNotFound",
        f"The Resource 'Microsoft.Cache/redis/{cache.name}/{child}/{name}' under resource group '{cache.group}' was "
        "not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix",
    )


def _not_supported() -> Refusal:
    return Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")
