"""The state of vaults and their secrets."""

import uuid
from dataclasses import dataclass, field
from typing import Any

from sandbox.azure.seeds import seeds

Json = dict[str, Any]


@dataclass(slots=True)
class Version:
    """One version of a secret."""

    id: str
    value: str = field(repr=False)
    created: int
    updated: int
    enabled: bool = True
    not_before: int | None = None
    expires: int | None = None
    content_type: str | None = None
    tags: dict[str, str] | None = None


@dataclass(slots=True)
class Secret:
    """A secret; its newest version is the last."""

    name: str
    versions: list[Version] = field(default_factory=list)
    deleted_at: int | None = None
    being_deleted: bool = False

    def find(self, version: str) -> Version | None:
        """Return the version of that id, or the newest for an empty id."""
        if not version:
            return self.versions[-1] if self.versions else None
        return next((v for v in self.versions if v.id == version), None)


@dataclass(slots=True)
class VaultState:
    """A vault. Secret names ignore case."""

    seed: seeds.Vault
    secrets: dict[str, Secret] = field(default_factory=dict)

    @property
    def scope(self) -> str:
        """Return its ARM id."""
        return seeds.vault_scope(self.seed.subscription, self.seed.group, self.seed.name)

    def secret(self, name: str) -> Secret | None:
        """Return the secret of that name, deleted or not."""
        return self.secrets.get(name.lower())

    def add(self, name: str, given: seeds.SecretVersion, now: int) -> Version:
        """Add a version, which becomes the newest."""
        secret = self.secrets.setdefault(name.lower(), Secret(name))
        created = given.created if given.created is not None else now
        version = Version(
            id=given.version or uuid.uuid4().hex,
            value=given.value,
            created=created,
            updated=created,
            enabled=given.enabled,
            not_before=given.not_before,
            expires=given.expires,
            content_type=given.content_type,
            tags=dict(given.tags) if given.tags is not None else None,
        )
        secret.versions.append(version)
        return version
