"""What a cache's own settings say about persistence: whether, how, and into which storage account."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PersistenceFacts:
    """From redisConfiguration, of which Azure leaves out what was never set.

    Sources: docs/internals/azure-facts.md#properties-and-defaults and
    docs/internals/azure-facts.md#how-answers-differ-from-requests.

    `rdb`, `aof`: None where the key is absent, which is off. `authentication`: `SAS` (also where absent) or
    `ManagedIdentity`.
    `account`: the storage account's name from the masked connection string or the blob URL, never the string itself.
    `subscription`: of the account, where it is not the cache's own. `endpoint`: the host of its blobs, where said.
    """

    rdb: bool | None = None
    aof: bool | None = None
    rdb_frequency_minutes: int | None = None
    authentication: str | None = None
    account: str | None = None
    subscription: str | None = None
    endpoint: str | None = None

    @property
    def on(self) -> bool:
        """Whether the cache writes its data to a storage account."""
        return bool(self.rdb or self.aof)
