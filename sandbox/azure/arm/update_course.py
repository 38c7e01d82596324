"""How the service carries out a PATCH: immediately, or by an operation, and what it shows meanwhile.

Recorded (docs/internals/assumptions.md): tags, the update channel, access keys that are switched on again, the non-TLS
port and settings are changed by the answer itself, 200. A change of size answers 200 too, and is under way without an
operation to poll. Public network access, the identity and Entra answer 202 with one.
"""

import copy
from typing import NamedTuple

from sandbox.azure.state.redis import CacheState
from sandbox.azure.state.settings import Settings

_SIZE = ("shardCount", "instances")


class Course(NamedTuple):
    """`state`: while it lasts. `changed`: the cache with what is changed already. `polled`: the answer has a URL."""

    state: str
    changed: CacheState
    polled: bool = True


def of_patch(before: CacheState, after: CacheState, settings: Settings) -> Course | None:
    """Return how the change comes about. None: with the answer."""
    if not settings.patch_at_once:
        return Course("Scaling" if scaled(before, after) else "Updating", before)
    if after.properties.get("publicNetworkAccess") != before.properties.get("publicNetworkAccess"):
        return Course("Updating", before)
    if after.identity != before.identity:
        changed = copy.deepcopy(before)
        changed.identity = after.identity
        return Course("UpdatingManagedIdentity", changed)
    if after.configuration.get("aad-enabled") != before.configuration.get("aad-enabled"):
        return Course("ConfiguringAAD", before)
    if scaled(before, after):
        return Course("Scaling", _all_but_size(before, after), polled=False)
    if settings.unrecorded_patch_by_operation and _unrecorded(before, after):
        return Course("Updating", before)
    return None


def scaled(before: CacheState, after: CacheState) -> bool:
    """Whether the change is one of size."""
    return after.sku != before.sku or after.properties.get("shardCount") != before.properties.get("shardCount")


def apply(cache: CacheState, before: CacheState, after: CacheState) -> None:
    """Apply only the fields of the operation. Other fields may have changed in the meantime."""
    for name in ("tags", "sku", "identity"):
        if getattr(after, name) != getattr(before, name):
            setattr(cache, name, getattr(after, name))
    for kept, old, new in (
        (cache.properties, before.properties, after.properties),
        (cache.configuration, before.configuration, after.configuration),
    ):
        kept.update({name: value for name, value in new.items() if name not in old or old[name] != value})
        for name in old.keys() - new.keys():
            kept.pop(name, None)


def _all_but_size(before: CacheState, after: CacheState) -> CacheState:
    changed = copy.deepcopy(after)
    changed.sku = before.sku
    changed.configuration = {**after.configuration, **{k: v for k, v in before.configuration.items() if "max" in k}}
    for name in _SIZE:
        changed.properties.pop(name, None)
        if name in before.properties:
            changed.properties[name] = before.properties[name]
    return changed


def _unrecorded(before: CacheState, after: CacheState) -> bool:
    tls = after.properties.get("minimumTlsVersion") != before.properties.get("minimumTlsVersion")
    return tls or (after.keys_disabled and not before.keys_disabled)
