"""Builds an observation of a safe cache in which everything was read."""

from dataclasses import replace
from typing import Any

from secure_redis.domain.observe.governance import DiagnosticSettingFacts, LockFacts, PatchWindow
from secure_redis.domain.observe.observation import Observation
from secure_redis.domain.observe.storage import BlobServiceFacts
from tests.builders.endpoint import endpoint
from tests.builders.governance import assigned, custom, role_assignment
from tests.builders.storage import BY_IDENTITY, account, key_vault, protected_key
from tests.builders.world import CACHE_ID, cache, observation


def complete(**changes: Any) -> Observation:
    """Return a safe Premium cache that persists by managed identity, with its endpoint, account and governance."""
    safe = observation(
        cache=cache(persistence=BY_IDENTITY, identity_type="SystemAssigned"),
        secret=None,
        endpoint=endpoint(),
        storage=account(),
        blob_service=BlobServiceFacts(soft_delete=False),
        encryption_key=protected_key(),
        patch_schedule=(PatchWindow("Sunday", 2),),
        access_policies=custom("+@read ~*"),
        access_assignments=assigned("Data Reader"),
        locks=(LockFacts("keep", "CanNotDelete", CACHE_ID),),
        role_assignments=(role_assignment("a", "Microsoft.Cache/redis/*"),),
        vault_properties=key_vault(),
        diagnostics=(DiagnosticSettingFacts("all", ("allLogs",)),),
        plaintext_uses=(),
    )
    return replace(safe, **changes)
