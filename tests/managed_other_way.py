"""Each switch of the simulator about Managed Redis, the other way (sandbox/azure/state/settings.py).

A contract test runs the whole life of a cluster with each of them, and demands a row here for every switch.
"""

from typing import Final

MANAGED_OTHER_WAY: Final[dict[str, object]] = {
    "managed_list_is_whole": False,
    "managed_provider_words": False,
    "managed_missing_database_code": "NotFound",
    "managed_pending_seconds": 0.0,
    "managed_database_seconds": 0.0,
    "managed_regenerate_seconds": 0.0,
    "managed_state_lag_seconds": 0.0,
    "managed_state_lag_refuses": False,
    "managed_patch_status": 200,
    "managed_shows_wanted_values": False,
    "managed_cluster_put_replaces": False,
    "managed_old_versions_keep_newer": True,
    "managed_removed_key_leaves_object": True,
    "managed_checks_encryption_key": False,
    "managed_capacity_code": "AllocationFailed",
    "managed_failed_looks_healthy_in_list": False,
    "managed_enterprise_refused_for_all": False,
    "managed_refusal_names_region_versions": False,
    "managed_list_keys_when_disabled": "empty",
    "managed_regenerate_by_operation": False,
}
