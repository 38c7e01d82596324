"""API versions of Microsoft.Cache/redisEnterprise: which there are, what each has, and which a region serves."""

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import api_version
from sandbox.azure.responses import Json, Refusal

# 2021-03-01 and 2023-07-01 were answered in 2023 (recorded); the newest Go and JavaScript modules ask for the first.
API_VERSIONS = (
    "2021-03-01", "2023-07-01", "2023-11-01", "2024-02-01", "2024-09-01-preview", "2024-10-01", "2025-04-01",
    "2025-07-01", "2025-08-01-preview", "2026-02-01-preview", "2026-05-01-preview", "2026-06-01-preview",
    "2026-09-01", "2026-10-01-preview",
)  # fmt: skip
_MANAGED = "2025-04-01"
_EARLY_PREVIEW = "2024-09-01-preview"  # of what 2025-04-01 brings
ACCESS_STRING_SINCE = "2026-05-01-preview"
# The first version that has a property.
_CLUSTER_SINCE = {
    "publicNetworkAccess": "2025-07-01",
    "maintenanceConfiguration": "2025-08-01-preview",
    "migratedEndpoint": "2025-08-01-preview",
}
_DATABASE_SINCE = {"accessKeysAuthentication": _MANAGED, "notifyKeyspaceEvents": "2026-02-01-preview"}


def requested(call: Call) -> str:
    """Return the request's api-version. Raises Refusal 400 for none, and for one that no region serves."""
    given = api_version(call)
    if given not in API_VERSIONS:
        raise _refusal(call, given, "", API_VERSIONS)
    return given


def check_region(call: Call, version: str, location: str) -> None:
    """Raise Refusal 400 if the region of that name does not serve the API version."""
    region = call.world.region(location)
    if region is None or not region.managed_versions or version in region.managed_versions:
        return
    named = call.world.settings.managed_refusal_names_region_versions
    raise _refusal(call, version, region.name, region.managed_versions if named else API_VERSIONS)


def _refusal(call: Call, version: str, location: str, supported: tuple[str, ...]) -> Refusal:
    regions = ", ".join(region.name for region in call.world.regions.values())
    return Refusal(
        400,
        "NoRegisteredProviderFound",
        f"No registered resource provider found for location '{location}' and API version '{version}' for type "
        f"'redisEnterprise'. The supported api-versions are '{', '.join(supported)}'. The supported locations are "
        f"'{regions}'.",
    )


def brings(version: str, since: str) -> bool:
    """Return whether a version has what came with `since`."""
    return version >= since or (version == _EARLY_PREVIEW and since == _MANAGED)


def hidden_of_cluster(version: str) -> frozenset[str]:
    """Return the properties of a cluster that the version does not have."""
    return frozenset(name for name, since in _CLUSTER_SINCE.items() if not brings(version, since))


def hidden_of_database(version: str) -> frozenset[str]:
    """Return the properties of the database that the version does not have."""
    return frozenset(name for name, since in _DATABASE_SINCE.items() if not brings(version, since))


def without_kind(shown: Json, version: str) -> Json:
    """Return a cluster without its `kind` where the version does not have it."""
    return shown if brings(version, _MANAGED) else {name: value for name, value in shown.items() if name != "kind"}


def keys_by_default(version: str) -> str:
    """Return what an omitted accessKeysAuthentication means to the version."""
    return "Disabled" if brings(version, "2025-07-01") else "Enabled"


def needs_public_network_access(version: str) -> bool:
    """Return whether publicNetworkAccess must be sent."""
    return brings(version, "2025-07-01")
