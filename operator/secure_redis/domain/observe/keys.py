"""Access keys, Key Vault secrets, and the proofs that a value is a live key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr


class Slot(StrEnum):
    """One of a cache's two keys."""

    PRIMARY = "Primary"
    SECONDARY = "Secondary"


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """Both keys as listKeys answered."""

    primary: SecretStr
    secondary: SecretStr


@dataclass(frozen=True, slots=True)
class VaultSecretFacts:
    """One version of a Key Vault secret. `value` is None where the version is not usable, so it is not kept."""

    vault: str
    name: str
    version: str
    enabled: bool
    value: SecretStr | None = None
    not_before: datetime | None = None
    expires: datetime | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    latest: bool = True  # False: a pinned version that is not the newest
    created: datetime | None = None


@dataclass(frozen=True, slots=True)
class VaultSecretAbsent:
    """A secret (or version) that, by the vault's answer, does not exist."""

    message: str
    deleted: bool = False  # soft-deleted: the name cannot be reused


class ProvenBy(StrEnum):
    """The evidence that a value is a live key."""

    LISTED = "Listed"  # equals one of the two keys that listKeys answered
    AUTHENTICATED = "Authenticated"  # AUTH over verified TLS
    TAGGED = "Tagged"  # the vault's owner declares it


@dataclass(frozen=True, slots=True)
class Proven:
    """The proof that a vault value is a live key of this cache; `slot`: which one, where known."""

    by: ProvenBy
    slot: Slot | None


class AuthenticationResult(StrEnum):
    """The result of AUTH over verified TLS at the host that ARM reports."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
