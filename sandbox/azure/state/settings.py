"""The simulator's settings. Each unverified behaviour of Azure has one, so that the suites pass both ways."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Settings(BaseModel):
    """Every duration is in seconds of the simulator's clock. Evidence: `docs/internals/assumptions.md`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    # Long-running operations (real ones take minutes to an hour)
    create_seconds: float = 0.4
    update_seconds: float = 0.2
    scale_seconds: float = 0.4
    delete_seconds: float = 0.3

    # The end of the next operation: Succeeded | Failed | FailedWithoutError | SucceededButResourceFailed;
    # of a cluster also NotCarriedOut (Succeeded, nothing changed) | NeverEnds | Forgotten (done, its URL answers 404)
    operation_outcome: str = "Succeeded"
    operation_error_code: str = "AzureCacheForRedisLongRunningOperationFailure"
    operation_error_message: str = "An error occurred during the long running operation."

    # Answers to a PATCH
    patch_at_once: bool = True  # as recorded for each field; else always 202, an operation and the old values
    unrecorded_patch_by_operation: bool = True  # minimumTlsVersion, and access keys that are switched off

    # Reads
    stale_get_seconds: float = 0.0
    stale_list_seconds: float = 0.0
    page_size: int = 100
    put_returns_keys: bool = True
    qualified_rule_names: bool = True  # a connector's recording has cache/rule, the API description's example rule
    delete_missing_status: int = 204  # 404 is the other way

    # Keys
    regenerate_cuts_connections: bool = False
    new_key_accepted_after_seconds: float = 0.0
    old_key_refused_after_seconds: float = 0.0
    new_key_listed_after_seconds: float = 0.0  # until then listKeys shows the old one
    regenerate_seconds: float = 0.0  # 0: synchronous, 200; else 202 and an operation, as Managed Redis does it
    disabling_keys_cuts_connections: bool = True
    list_keys_refused_when_disabled: bool = False

    # Refusals
    retired_for_new_tenants: bool = True
    name_reserved_after_delete_seconds: float = 0.0
    cache_quota_per_subscription: int = 1000
    busy_during_operation: bool = True
    split_network_and_identity: bool = True
    disabling_keys_needs_entra: bool = True
    list_needs_scope_right: bool = True  # else a list shows what the caller may read

    # Persistence and the account behind it
    configuration_patch_replaces: bool = False  # else a PATCH leaves settings alone that it does not name
    identity_takes_blob_url: bool = True  # else only a connection string without a key is taken
    persistence_checks_role: bool = False  # whether the cache's identity must be able to write blobs already
    blob_service_of_every_kind: bool = True  # else accounts for files have none

    # Managed Redis
    managed_list_is_whole: bool = True  # else the items of a list have no privateEndpointConnections
    managed_provider_words: bool = True  # a missing cluster is answered by the provider; else by Resource Manager
    managed_missing_database_code: str = "ResourceNotFound"  # NotFound is the other way
    managed_pending_seconds: float = 0.05  # how long an operation is Pending before it is InProgress
    managed_database_seconds: float = 0.2  # creating, changing or deleting the database
    managed_regenerate_seconds: float = 0.2
    managed_state_lag_seconds: float = 0.2  # from the end of an operation until resourceState is Running
    managed_state_lag_refuses: bool = True  # until then writes are refused like during an operation
    managed_patch_status: int = 202  # 200 with the resource is the other way
    managed_shows_wanted_values: bool = True  # a PUT's answer, and reads while the operation runs; else the old ones
    managed_cluster_put_replaces: bool = True  # else a PUT keeps the key, identity and windows that it does not name
    managed_old_versions_keep_newer: bool = False  # whether a PUT keeps properties that its API version does not have
    managed_removed_key_leaves_object: bool = False  # `encryption` without a key stays, else it goes
    managed_checks_encryption_key: bool = True  # else a customer's key is used unseen
    managed_capacity_code: str = "InsufficientCapacity"  # AllocationFailed is the other way
    managed_failed_looks_healthy_in_list: bool = True  # a cluster that was not created
    managed_enterprise_refused_for_all: bool = True  # else only for tenants that had no cache before
    managed_refusal_names_region_versions: bool = True  # else those of all regions
    managed_list_keys_when_disabled: Literal["refused", "empty"] = "refused"
    managed_regenerate_by_operation: bool = True  # else 200 with both keys

    # Authorisation and tokens
    lock_list_shows_inherited: bool = True  # a list at a resource shows the locks of its group and subscription too
    role_propagation_seconds: float = 0.0
    token_seconds: float = 3600.0
    clock_skew_seconds: float = 0.0  # how far Entra's and the services' clocks are ahead, for tokens and assertions
    cae_token_seconds: float = 86400.0

    # Key Vault
    enforce_secret_dates: bool = False  # documented as informational
    update_merges_tags: bool = False  # else the tags of an update are all that the version has then
    versions_page_size: int = 25
    versions_of_missing_secret_status: int = 404  # 200 with an empty list is the other way
    secrets_page_size: int = 25
    listed_secret_moves: bool = True  # else the list of secrets shows the first version's attributes for ever
