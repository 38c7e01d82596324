"""Validates and normalises the values that a cluster accepts."""

import re
from typing import Any

from sandbox.azure.access.call import Call
from sandbox.azure.arm import managed_redis_skus as skus
from sandbox.azure.arm import managed_redis_versions as versions
from sandbox.azure.arm.managed_redis_refusals import bad_request
from sandbox.azure.responses import Json
from sandbox.azure.state.managed_redis import ManagedState

_NAME = re.compile(r"(?=.{1,60}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_READ_ONLY = frozenset(
    {
        "hostName",
        "provisioningState",
        "resourceState",
        "redundancyMode",
        "redisVersion",
        "privateEndpointConnections",
        "migratedEndpoint",
    }
)
_ENUMS = {
    "publicNetworkAccess": ("Enabled", "Disabled"),
    "highAvailability": ("Enabled", "Disabled"),
    "minimumTlsVersion": ("1.0", "1.1", "1.2"),
}
_KNOWN = frozenset({*_ENUMS, "encryption", "maintenanceConfiguration"})
_IDENTITIES = ("None", "SystemAssigned", "UserAssigned", "SystemAssigned, UserAssigned")
_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOURS = re.compile(r"PT(\d{1,2})H")
_LEAST_HOURS, _LEAST_WINDOWS, _LEAST_SUM = 4, 2, 18


def check_name(call: Call, name: str) -> None:
    """Raise Refusal 400 for a name that breaks the rules."""
    if not _NAME.fullmatch(name):
        raise bad_request(call, f"The cluster name '{name}' is invalid.")


def checked_sku(call: Call, given: Any) -> Json:
    """Return a SKU in the service's spelling. Only the Enterprise tiers have a capacity."""
    name = skus.known(given.get("name")) if isinstance(given, dict) else None
    if name is None:
        raise bad_request(call, "The value of the parameter 'sku.name' is invalid.")
    capacity = given.get("capacity")
    if not skus.retiring(name):
        if capacity is not None:
            raise bad_request(call, f"Specifying capacity for SKU '{name}' is not supported.")
        return {"name": name}
    if capacity is not None and (not isinstance(capacity, int) or isinstance(capacity, bool) or capacity < 2):
        raise bad_request(call, "The value of the parameter 'sku.capacity' is invalid.")
    return {"name": name, "capacity": capacity or 2}


def check_zones(call: Call, given: Any, sku: str) -> tuple[str, ...]:
    """Return the zones of an Enterprise cluster. Raises Refusal 400 where they are not given by the caller."""
    zones = tuple(str(zone) for zone in given or ())
    if zones and not skus.retiring(sku):
        raise bad_request(
            call,
            f"Specifying zones for SKU '{sku}' is not supported. Zone redundancy is enabled by default for this SKU in "
            "regions with zones.",
        )
    return zones


def checked_properties(call: Call, given: Json, version: str, *, whole: bool) -> Json:
    """Return the given properties that a caller may set. `whole`: of a PUT, which must name public network access.

    Properties that are read-only, or that the API version does not have, are ignored; unknown ones are kept.
    """
    hidden = versions.hidden_of_cluster(version)
    checked: Json = {}
    for name, value in given.items():
        if value is None or name in _READ_ONLY or name in hidden:
            continue
        if name in _ENUMS:
            spelled = next((one for one in _ENUMS[name] if one.lower() == str(value).lower()), None)
            if spelled is None:
                raise bad_request(call, f"The value of the parameter 'properties.{name}' is invalid.")
            value = spelled
        checked[name] = value
    if whole and versions.needs_public_network_access(version) and "publicNetworkAccess" not in checked:
        raise bad_request(call, "The property 'properties.publicNetworkAccess' is required.")
    if checked.get("minimumTlsVersion") in ("1.0", "1.1"):
        raise bad_request(call, "TLS versions 1.0 and 1.1 are obsolete. The property 'minimumTlsVersion' must be 1.2.")
    if "maintenanceConfiguration" in checked:
        _check_windows(call, checked["maintenanceConfiguration"])
    return checked


def _check_windows(call: Call, given: Any) -> None:
    if isinstance(given, dict) and not given.get("maintenanceWindows"):
        return  # no window of one's own
    windows = given.get("maintenanceWindows") if isinstance(given, dict) else None
    hours = [_hours(window) for window in windows] if isinstance(windows, list) else [0]
    if 0 in hours:
        raise bad_request(call, "The value of the parameter 'properties.maintenanceConfiguration' is invalid.")
    if len(hours) < _LEAST_WINDOWS or min(hours) < _LEAST_HOURS or sum(hours) < _LEAST_SUM:
        raise bad_request(
            call,
            f"A maintenance configuration must have at least {_LEAST_WINDOWS} windows of at least {_LEAST_HOURS} hours "
            f"each, and {_LEAST_SUM} hours altogether.",
        )


def _hours(window: Any) -> int:
    """Return the length of a window, or 0 if it is none."""
    if not isinstance(window, dict):
        return 0
    matched = _HOURS.fullmatch(str(window.get("duration")))
    schedule, start = window.get("schedule"), window.get("startHourUtc")
    day = schedule.get("dayOfWeek") if isinstance(schedule, dict) else None
    if matched is None or day not in _DAYS or not isinstance(start, int) or start not in range(24):
        return 0
    return int(matched[1])


def checked_identity(call: Call, given: Any) -> Json:
    """Return the identity of a request; a missing one is of type None."""
    identity: Json = given if isinstance(given, dict) else {"type": "None"}
    kind = str(identity.get("type", "None"))
    assigned = identity.get("userAssignedIdentities") or {}
    if kind not in _IDENTITIES or bool(assigned) != ("UserAssigned" in kind):
        raise bad_request(call, "The value of the parameter 'identity' is invalid.")
    return identity


def check_change(call: Call, before: ManagedState, after: ManagedState) -> None:
    """Raise Refusal 400 for a change of a cluster that the service does not make."""
    availability = [one.properties.get("highAvailability", "Enabled") for one in (before, after)]
    if availability == ["Enabled", "Disabled"]:
        raise bad_request(call, "High availability cannot be disabled after it was enabled.")
    if after.sku == before.sku:
        return
    old, new = str(before.sku["name"]), str(after.sku["name"])
    if skus.retiring(new):
        if old != new:
            raise bad_request(call, f"The SKU '{old}' cannot be changed to '{new}'.")
        return
    region = call.world.region(before.location)
    unclustered = (before.database or {}).get("clusteringPolicy") == "NoCluster"
    if region is None or new not in skus.replaces(old, region, unclustered=unclustered):
        raise bad_request(call, f"The SKU '{old}' cannot be changed to '{new}'.")
