"""Access keys, Key Vault secrets, and the proofs that a value is a live key."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from pydantic import SecretStr


class Slot(StrEnum):
    """Which of a cache's two keys."""

    PRIMARY = "Primary"
    SECONDARY = "Secondary"


@dataclass(frozen=True, slots=True)
class ListedKeys:
    """Both keys as listKeys answered."""

    primary: SecretStr
    secondary: SecretStr


@dataclass(frozen=True, slots=True)
class VaultSecretFacts:
    """One version of a Key Vault secret. `value` is None where the version was not usable, so it was not kept."""

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
    """The vault answered that there is no such secret (or version)."""

    message: str
    deleted: bool = False  # soft-deleted: the name cannot be reused


class ProvenBy(StrEnum):
    """Why a value is known to be a live key."""

    LISTED = "Listed"  # equals one of the two keys that listKeys answered
    AUTHENTICATED = "Authenticated"  # AUTH over verified TLS
    TAGGED = "Tagged"  # the vault's owner says so


@dataclass(frozen=True, slots=True)
class Proven:
    """A vault value is a live key of this cache; `slot` where it is known which."""

    by: ProvenBy
    slot: Slot | None


class AuthenticationResult(StrEnum):
    """What AUTH over verified TLS at the host that ARM reports said."""

    ACCEPTED = "Accepted"
    REFUSED = "Refused"
