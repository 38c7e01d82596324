"""`spec.persistence`: whether data is written down, where, and how that has to be encrypted."""

from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic.alias_generators import to_camel

from secure_redis.api.azure_ids import StorageAccountID


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, populate_by_name=True, extra="ignore", alias_generator=to_camel)


class PersistenceType(StrEnum):
    """How data is written down: snapshots, every write, or not at all."""

    NONE = "None"
    RDB = "RDB"
    AOF = "AOF"


class StorageAuthentication(StrEnum):
    """How the cache authenticates at its storage account."""

    MANAGED_IDENTITY = "ManagedIdentity"
    CONNECTION_STRING = "ConnectionString"


class KeySource(StrEnum):
    """The owner of the key that encrypts the account."""

    MICROSOFT_MANAGED = "MicrosoftManaged"
    CUSTOMER_MANAGED = "CustomerManaged"


class SecretReference(_Part):
    """A Secret of the same namespace."""

    name: str


class Storage(_Part):
    """The account that is persisted into. The reference belongs to `CONNECTION_STRING`."""

    account_id: str = Field(alias="accountID")
    authentication: StorageAuthentication = StorageAuthentication.MANAGED_IDENTITY
    connection_string_secret_ref: SecretReference | None = None

    @field_validator("account_id")
    @classmethod
    def _names_an_account(cls, text: str) -> str:
        StorageAccountID.parse(text)
        return text

    @property
    def account(self) -> StorageAccountID:
        """The account, by its id."""
        return StorageAccountID.parse(self.account_id)


class Encryption(_Part):
    """The encryption that is expected of the account, or that a cluster's own disks have. `key_source=None`: any.

    An account is never written. `identity_id`: the user-assigned identity by which a cluster reads the key.
    """

    key_source: KeySource | None = None
    key_url: str | None = Field(default=None, alias="keyURL")
    identity_id: str | None = Field(default=None, alias="identityID")
    infrastructure_encryption: str = "Optional"


class Persistence(_Part):
    """Whether data is written down, where, and how that must be encrypted. Minutes are of RDB only."""

    type: PersistenceType = PersistenceType.NONE
    frequency_minutes: int = 60
    storage: Storage | None = None
    encryption: Encryption = Encryption()
