"""Microsoft.Storage/storageAccounts: reads of an account and its blob service. It writes nothing."""

from sandbox.azure.access.call import Call
from sandbox.azure.arm.common import (
    api_version,
    authorize,
    group,
    subscription,
)
from sandbox.azure.responses import Answer, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.seeds.storage import storage_scope
from sandbox.azure.state.storage import TYPE, StorageState

API_VERSIONS = (
    "2021-09-01", "2022-09-01", "2023-01-01", "2023-05-01", "2024-01-01", "2025-01-01", "2025-06-01", "2025-08-01",
    "2026-09-01",
)  # fmt: skip


def route(call: Call, subscription_id: str, group_name: str, parts: list[str]) -> Answer:
    """Below /subscriptions/{s}/resourceGroups/{g}/providers/Microsoft.Storage/storageAccounts."""
    _version(call)
    found = subscription(call, subscription_id)
    match [call.method, *[part.lower() for part in parts]]:
        case ["GET", name]:
            authorize(call, f"{TYPE}/read", storage_scope(found.id, group_name, name))
            return Answer(200, _existing(call, found, group_name, parts[0]).show(call.world.names.domain))
        case ["GET", name, "blobservices", "default"]:
            authorize(call, f"{TYPE}/blobServices/read", storage_scope(found.id, group_name, name))
            account = _existing(call, found, group_name, parts[0])
            if account.kind == "FileStorage" and not call.world.settings.blob_service_of_every_kind:
                raise Refusal(400, "FeatureNotSupportedForAccount", "Blob is not supported for the account.")
            return Answer(200, account.show_blob_service())
    raise Refusal(405, "HttpMethodNotSupported", "The http method is not supported at this address.")


def _version(call: Call) -> None:
    given = api_version(call)
    if given not in API_VERSIONS:
        raise Refusal(
            400,
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '' and API version '{given}' for type "
            f"'storageAccounts'. The supported api-versions are '{', '.join(API_VERSIONS)}'.",
        )


def _existing(call: Call, found: seeds.Subscription, group_name: str, name: str) -> StorageState:
    group(call, found.id, group_name)
    account = call.world.storage.get(name.lower())
    if account is None or (account.subscription.lower(), account.group.lower()) != (
        found.id.lower(),
        group_name.lower(),
    ):
        raise Refusal(
            404,
            "ResourceNotFound",
            f"The Resource '{TYPE}/{name}' under resource group '{group_name}' was not found. For more details please "
            "go to https://aka.ms/ARMResourceNotFoundFix",
        )
    return account
