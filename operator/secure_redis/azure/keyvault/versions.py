"""Read the versions of Key Vault secrets without their values: from a list, or from the SDK's model."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from urllib.parse import urlsplit

from azure.keyvault.secrets import SecretProperties

from secure_redis.azure.core.answers import Malformed
from secure_redis.azure.core.lists import next_link


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a secret. `latest`: no newer one was found. `created` and `updated`: in whole seconds."""

    id: str
    enabled: bool
    not_before: datetime | None
    expires: datetime | None
    tags: Mapping[str, str]
    latest: bool = True
    created: datetime | None = None
    updated: datetime | None = None

    @property
    def changed(self) -> datetime | None:
        """When it was created or last updated; None: the vault does not report it."""
        known = [moment for moment in (self.created, self.updated) if moment is not None]
        return max(known, default=None)

    def shown_by(self, item: "Version") -> bool:
        """Whether a vault's list of secrets, which names no version, shows this version of the secret."""
        return self.created is not None and replace(item, id=self.id, latest=self.latest) == self


def page(body: object) -> tuple[list[Version], str | None]:
    """Read a page of a secret's versions, and the URL of the next one.

    It reads the JSON and not the SDK's models, which cost as much again as the request. This is the one request that
    is made for every secret at every interval.

    Raises:
        Malformed: it is no such page.

    """
    if not isinstance(body, Mapping) or not isinstance(body.get("value"), list):
        raise Malformed("the vault's answer is not a list of versions")
    return [_listed(item) for item in body["value"]], next_link(body)


def secrets_page(body: object, names: Collection[str]) -> tuple[list[tuple[str, Version]], str | None]:
    """Read a page of a vault's secrets: the name in lower case and the current version, without its id.

    `names`: those that are kept. Of others nothing is read but the name: whatever they are, they hide none of these.

    Raises:
        Malformed: it is no such page.

    """
    if not isinstance(body, Mapping) or not isinstance(body.get("value"), list):
        raise Malformed("the vault's answer is not a list of secrets")
    found = ((_name(item), item) for item in body["value"])
    return [(name, _listed(item)) for name, item in found if name in names], next_link(body)


def _name(item: object) -> str:
    """Return the name of an item's secret in lower case; empty: it has none."""
    identifier = item.get("id") if isinstance(item, Mapping) else None
    parts = identifier.split("/") if isinstance(identifier, str) else []  # https://<vault>/secrets/<name>
    return parts[4].lower() if len(parts) > 4 else ""


def _listed(item: object) -> Version:
    if not isinstance(item, Mapping):
        raise Malformed("the vault's list holds what is not a version")
    attributes, identifier, tags = item.get("attributes"), item.get("id"), item.get("tags")
    if not isinstance(attributes, Mapping) or not isinstance(identifier, str):
        raise Malformed("the vault's list holds a version without id or attributes")
    parts = urlsplit(identifier).path.strip("/").split("/")  # secrets/<name>/<version>
    created, updated = attributes.get("created"), attributes.get("updated")
    return Version(
        id=parts[2] if len(parts) == 3 else "",
        enabled=attributes.get("enabled") is not False,
        not_before=_moment(attributes.get("nbf")),
        expires=_moment(attributes.get("exp")),
        tags=dict(tags) if isinstance(tags, Mapping) else {},
        created=_moment(created) if isinstance(created, int) else None,
        updated=_moment(updated) if isinstance(updated, int) else None,
    )


def _moment(seconds: object) -> datetime | None:
    if seconds is None:
        return None
    if not isinstance(seconds, int | float):
        raise Malformed("the vault's list holds a date that is none")
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, OSError, ValueError):
        raise Malformed("the vault's list holds a date that is none") from None


def from_sdk(properties: SecretProperties) -> Version:
    """Convert the version that a plain read answered."""
    return Version(
        id=properties.version or "",
        enabled=properties.enabled is not False,
        not_before=properties.not_before,
        expires=properties.expires_on,
        tags=dict(properties.tags or {}),
        created=properties.created_on,
        updated=properties.updated_on,
    )


def usable(version: Version, now: datetime) -> bool:
    """Whether a consumer may use the version now.

    Key Vault serves expired and not yet valid versions all the same: the dates are only information there.
    """
    if not version.enabled:
        return False
    if version.not_before is not None and now < version.not_before:
        return False
    return version.expires is None or now < version.expires
