"""Validates and normalises the values that the cache service accepts."""

import re
from typing import Any

from sandbox.azure.responses import Json, Refusal, cache_refusal
from sandbox.azure.state.redis import CacheState, default_configuration
from sandbox.azure.state.settings import Settings

NAME = re.compile(r"(?=.{1,63}$)[A-Za-z0-9]+(-[A-Za-z0-9]+)*")
_SKUS = {
    "basic": ("Basic", "C", range(7)),
    "standard": ("Standard", "C", range(7)),
    "premium": ("Premium", "P", range(1, 6)),
}
_ORDER = ("Basic", "Standard", "Premium")
_PREMIUM_ONLY = ("shardCount", "subnetId", "staticIP", "replicasPerMaster", "replicasPerPrimary")
_BOOLEANS = ("enableNonSslPort", "disableAccessKeyAuthentication")
_ENUMS = {
    "minimumTlsVersion": ("1.0", "1.1", "1.2"),
    "publicNetworkAccess": ("Enabled", "Disabled"),
    "updateChannel": ("Stable", "Preview"),
    "zonalAllocationPolicy": ("Automatic", "UserDefined", "NoZones"),
}
_SETTABLE = frozenset({*_PREMIUM_ONLY, *_BOOLEANS, *_ENUMS, "redisVersion", "tenantSettings"})
_CREATE_ONLY = ("subnetId", "staticIP", "replicasPerMaster", "replicasPerPrimary", "zonalAllocationPolicy")
_MEMORY = ("maxmemory-reserved", "maxfragmentationmemory-reserved", "maxmemory-delta")
_READ_ONLY_SETTINGS = ("maxclients", "zonal-configuration", "preferred-data-archive-auth-method")
_PERSISTENCE = ("rdb-backup-enabled", "aof-backup-enabled")
_FREQUENCIES = ("15", "30", "60", "360", "720", "1440")
_HIDDEN = "[key hidden]"
_TAG_FORBIDDEN = re.compile(r"[<>%&\\?/]")
_MAXIMUM_TAGS = 50


def bad_value(name: str, request_id: str) -> Refusal:
    """Return the refusal of a parameter; its message ends as the recorded one does."""
    message = f"The value of the parameter '{name}' is invalid.\r\nRequestID={request_id}"
    return Refusal(400, "InvalidRequestBody", message, target=True)


def not_modifiable(names: list[str], request_id: str) -> Refusal:
    """Return the refusal of a change to what is set at creation."""
    listed = ",".join(f"properties.{name}" for name in names)
    return cache_refusal(
        400,
        "BadRequest",
        "The requested update to the resource is not permitted. The following properties(s) cannot be modified: "
        f"'{listed}'.",
        request_id,
    )


def normalised_sku(given: Any, request_id: str) -> Json:
    """Return a SKU in the service's spelling. Raises Refusal for one that does not exist."""
    if not isinstance(given, dict):
        raise bad_value("properties.sku", request_id)
    known = _SKUS.get(str(given.get("name", "")).lower())
    capacity = given.get("capacity")
    if known is None or not isinstance(capacity, int) or isinstance(capacity, bool):
        raise bad_value("properties.sku", request_id)
    name, family, sizes = known
    if str(given.get("family", "")).upper() != family or capacity not in sizes:
        raise cache_refusal(
            400,
            "BadRequest",
            "Exception of type 'AzCacheRP.Exceptions.SkuFamilyNotSupportedException' was thrown.",
            request_id,
        )
    return {"name": name, "family": family, "capacity": capacity}


def checked_properties(given: Json, sku: Json, request_id: str) -> Json:
    """Return the given properties without sku and redisConfiguration, spelled as the service spells them."""
    checked: Json = {}
    for name, value in given.items():
        if value is None or name not in _SETTABLE:
            continue  # read-only or unknown: the service ignores it, so that a misspelt name shows as no change
        if name in _BOOLEANS and not isinstance(value, bool):
            raise bad_value(f"properties.{name}", request_id)
        if name in _ENUMS:
            spelled = next((e for e in _ENUMS[name] if e.lower() == str(value).lower()), None)
            if spelled is None:
                raise bad_value(f"properties.{name}", request_id)
            value = spelled
        if name in _PREMIUM_ONLY and sku["name"] != "Premium" and value:
            raise bad_value(f"properties.{name}", request_id)
        if name == "redisVersion":
            value = _redis_version(str(value), request_id)
        if name == "minimumTlsVersion" and value != "1.2":
            raise cache_refusal(
                400,
                "BadRequest",
                "TLS versions 1.0 and 1.1 are no longer supported. The property 'minimumTlsVersion' must be 1.2.",
                request_id,
            )
        checked[name] = value
    return checked


def _redis_version(given: str, request_id: str) -> str:
    if given.lower() in ("latest", "6", "6.0") or given.startswith("6."):
        return "6.0"
    raise bad_value("properties.redisVersion", request_id)


def checked_configuration(given: Any, sku: Json, request_id: str) -> dict[str, str]:
    """Return the given redisConfiguration in the service's form: clamped, masked. Values must be strings."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise bad_value("properties.redisConfiguration", request_id)
    checked: dict[str, str] = {}
    lowest = default_configuration(sku)
    for name, value in given.items():
        if value is None or name in _READ_ONLY_SETTINGS:
            continue
        if not isinstance(value, str):
            raise bad_value(name, request_id)
        if name in _MEMORY:
            if sku["name"] == "Basic":
                raise _not_allowed(name, sku, request_id)
            if not value.isdigit():
                raise bad_value(name, request_id)
            value = str(max(int(value), int(lowest[name])))
        if name in _PERSISTENCE and value.lower() == "true" and sku["name"] != "Premium":
            raise _not_allowed(name, sku, request_id)
        if name == "rdb-backup-frequency" and value not in _FREQUENCIES:
            raise bad_value(name, request_id)
        if "storage-connection-string" in name:
            value = _masked(name, value, request_id)
        checked[name] = value
    if all(checked.get(name, "").lower() == "true" for name in _PERSISTENCE):
        raise bad_value("aof-backup-enabled", request_id)
    return checked


def _not_allowed(name: str, sku: Json, request_id: str) -> Refusal:
    return cache_refusal(
        400, "BadRequest", f"The setting '{name}' is not allowed on '{sku['name']}' cache instances.", request_id
    )


def _masked(name: str, value: str, request_id: str) -> str:
    if _HIDDEN in value:
        raise bad_value(name, request_id)  # a masked string sent back (azure-cli #11502)
    return re.sub(r"(AccountKey|SharedAccessSignature)=[^;]*", rf"\1={_HIDDEN}", value)


def check_scale(old: Json, new: Json, request_id: str) -> None:
    """Raise Refusal for a change of SKU that the service does not make."""
    before, after = _ORDER.index(old["name"]), _ORDER.index(new["name"])
    if after < before:
        if old["family"] != new["family"]:
            raise not_modifiable(["sku.family"], request_id)
        raise cache_refusal(
            400,
            "BadRequest",
            f"Invalid update request: properties.sku.name cannot be updated to {new['name']}.",
            request_id,
        )
    if old["name"] == "Basic" and new["name"] == "Premium":
        raise cache_refusal(
            400,
            "BadRequest",
            "Exception of type 'AzCacheRP.Exceptions.SkuFamilyNotSupportedException' was thrown.",
            request_id,
        )
    if old["name"] == "Basic" and new["name"] == "Standard" and old["capacity"] != new["capacity"]:
        raise not_modifiable(["sku.name", "sku.capacity"], request_id)
    if new["capacity"] == 0 and old["capacity"] > 0 and new["family"] == "C":
        raise not_modifiable(["sku.capacity"], request_id)


def check_update(cache: CacheState, after: CacheState, given: Json, settings: Settings, request_id: str) -> None:
    """Raise Refusal for fields that cannot be changed, or not in one request. `given`: the request's properties."""
    both = after.identity != cache.identity and (
        after.properties.get("publicNetworkAccess") != cache.properties.get("publicNetworkAccess")
    )
    if settings.split_network_and_identity and both:
        raise cache_refusal(
            400,
            "BadRequest",
            "The following updates can't be processed in one single request, please send seperate request to update "
            "them: 'properties.publicNetworkAccess,identity'.",
            request_id,
        )
    fixed = [name for name in _CREATE_ONLY if given.get(name) is not None and given[name] != cache.properties.get(name)]
    if fixed:
        raise not_modifiable(fixed, request_id)
    if cache.properties.get("shardCount") and given.get("shardCount") == 0:
        raise not_modifiable(["shardCount"], request_id)


def check_keys_switch(after: Json, configuration: Json, settings: Settings, request_id: str) -> None:
    """Raise Refusal if access keys are switched off where no one could log in by Entra (a setting: not verified)."""
    if (
        settings.disabling_keys_needs_entra
        and after.get("disableAccessKeyAuthentication") is True
        and str(configuration.get("aad-enabled", "false")).lower() != "true"
    ):
        raise cache_refusal(
            400,
            "BadRequest",
            "Access key authentication can be disabled only when Microsoft Entra authentication is enabled.",
            request_id,
        )


def checked_tags(given: Any) -> dict[str, str]:
    """Tags as ARM takes them. Raises Refusal."""
    if given is None:
        return {}
    if not isinstance(given, dict):
        raise Refusal(
            400, "InvalidRequestContent", "The request content was invalid: tags must be an object of strings."
        )
    if len(given) > _MAXIMUM_TAGS:
        raise Refusal(400, "InvalidTags", f"The number of tags exceeds the maximum of {_MAXIMUM_TAGS}.")
    names = [str(name) for name in given]
    wrong = [name for name in names if _TAG_FORBIDDEN.search(name)]
    if wrong:
        raise Refusal(
            400,
            "InvalidTagNameCharacters",
            f"The tag names '{','.join(wrong)}' have reserved characters '<,>,%,&,\\,?,/' or control characters.",
        )
    if len({name.lower() for name in names}) != len(names):
        raise Refusal(400, "DuplicateTagName", "The tag names must be unique, ignoring case.")
    if any(len(name) > 512 for name in names) or any(not isinstance(v, str) or len(v) > 256 for v in given.values()):
        raise Refusal(
            400, "InvalidTagLength", "Tag names are limited to 512 characters and tag values to 256 characters."
        )
    return {str(name): str(value) for name, value in given.items()}
