"""A vault's operations on secrets: versions, attributes, soft deletion."""

import hashlib
import re
from typing import Any
from urllib.parse import urlencode

from sandbox.azure.access.call import Call
from sandbox.azure.responses import Answer, Json, Refusal
from sandbox.azure.seeds import seeds
from sandbox.azure.state.keyvault import Secret, VaultState, Version

_NAME = re.compile(r"[0-9a-zA-Z-]{1,127}")
_MAXIMUM = 25 * 1024  # bytes of a value
_MAXIMUM_TAGS = 15
_RECOVERABLE_DAYS = 90


def _id(call: Call, vault: VaultState, name: str, version: str = "", kind: str = "secrets") -> str:
    return f"{call.world.names.vault_url(vault.seed.name)}/{kind}/{name}" + (f"/{version}" if version else "")


def _attributes(version: Version) -> Json:
    shown: Json = {"enabled": version.enabled, "created": version.created, "updated": version.updated}
    if version.not_before is not None:
        shown["nbf"] = version.not_before
    if version.expires is not None:
        shown["exp"] = version.expires
    return {**shown, "recoveryLevel": "Recoverable+Purgeable", "recoverableDays": _RECOVERABLE_DAYS}


def _item(call: Call, vault: VaultState, secret: Secret, version: Version, *, versioned: bool) -> Json:
    """Return a list item. It never contains a value."""
    shown: Json = {
        "id": _id(call, vault, secret.name, version.id if versioned else ""),
        "attributes": _attributes(version),
    }
    if version.content_type is not None:
        shown["contentType"] = version.content_type
    if version.tags is not None:
        shown["tags"] = dict(version.tags)
    return shown


def _bundle(call: Call, vault: VaultState, secret: Secret, version: Version, *, value: bool = True) -> Json:
    shown = _item(call, vault, secret, version, versioned=True)
    return {"value": version.value, **shown} if value else shown


def _not_found(name: str, version: str = "") -> Refusal:
    return Refusal(
        404,
        "SecretNotFound",
        f"A secret with (name/id) {name}{'/' + version if version else ''} was not found in this key vault. If you "
        "recently deleted this secret you may be able to recover it using the correct recovery command. For help "
        "resolving this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
    )


def _conflict(secret: Secret) -> Refusal:
    if secret.being_deleted:
        return Refusal(
            409,
            "Conflict",
            f"Secret {secret.name} is currently being deleted.",
            inner="ObjectIsBeingDeleted",
        )
    return Refusal(
        409,
        "Conflict",
        f"Secret {secret.name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
        "state, the secret can only be recovered or purged.",
        inner="ObjectIsDeletedButRecoverable",
    )


def _live(vault: VaultState, name: str, version: str = "") -> tuple[Secret, Version]:
    secret = vault.secret(name)
    if secret is None or secret.deleted_at is not None:
        raise _not_found(name, version)
    found = secret.find(version)
    if found is None:
        raise _not_found(name, version)
    return secret, found


def get(call: Call, vault: VaultState, name: str, version: str) -> Answer:
    """GET of a value. A disabled version is refused; its dates are informational."""
    secret, found = _live(vault, name, version)
    now = call.world.timeline.now()
    if not found.enabled:
        raise Refusal(403, "Forbidden", "Operation get is not allowed on a disabled secret.", inner="SecretDisabled")
    if call.world.settings.enforce_secret_dates and (
        (found.not_before is not None and found.not_before > now)
        or (found.expires is not None and found.expires <= now)
    ):
        kind = "not yet valid" if found.not_before is not None and found.not_before > now else "expired"
        raise Refusal(403, "Forbidden", f"Operation get is not allowed on an {kind} secret.", inner="SecretExpired")
    return Answer(200, _bundle(call, vault, secret, found))


def _page(call: Call, items: list[Json], size: int) -> Answer:
    token = call.request.query.get("$skiptoken", "0")
    start = int(token) if token.isdigit() else 0
    wanted = call.request.query.get("maxresults", "")
    size = min(size, int(wanted)) if wanted.isdigit() and int(wanted) > 0 else size
    following: str | None = None
    if start + size < len(items):
        query = {"api-version": call.request.query["api-version"], "$skiptoken": str(start + size), "maxresults": size}
        following = f"https://{call.request.host}{call.request.path}?{urlencode(query)}"
    return Answer(200, {"value": items[start : start + size], "nextLink": following})


def list_versions(call: Call, vault: VaultState, name: str) -> Answer:
    """Pages of versions in no order: by a digest of the id, which is stable and unlike the order of creation."""
    secret = vault.secret(name)
    if secret is None or secret.deleted_at is not None:
        if call.world.settings.versions_of_missing_secret_status == 200:
            return _page(call, [], call.world.settings.versions_page_size)
        raise _not_found(name)
    mixed = sorted(secret.versions, key=lambda v: hashlib.sha256(v.id.encode()).digest())
    items = [_item(call, vault, secret, version, versioned=True) for version in mixed]
    return _page(call, items, call.world.settings.versions_page_size)


def list_secrets(call: Call, vault: VaultState) -> Answer:
    """Pages of secrets, each by its newest version's attributes."""
    live = [s for s in vault.secrets.values() if s.deleted_at is None and s.versions]
    shown = -1 if call.world.settings.listed_secret_moves else 0
    items = [_item(call, vault, secret, secret.versions[shown], versioned=False) for secret in live]
    return _page(call, items, call.world.settings.secrets_page_size)


def _tags(given: Any) -> dict[str, str] | None:
    if given is None:
        return None
    if not isinstance(given, dict) or len(given) > _MAXIMUM_TAGS:
        raise Refusal(400, "BadParameter", f"The number of tags is more than {_MAXIMUM_TAGS}.")
    if any(len(str(k)) > 256 or len(str(v)) > 256 for k, v in given.items()):
        raise Refusal(400, "BadParameter", "Tag name and value must be at most 256 characters.")
    return {str(k): str(v) for k, v in given.items()}


def put(call: Call, vault: VaultState, name: str) -> Answer:
    """PUT: always a new version."""
    body = call.json()
    if not _NAME.fullmatch(name):
        raise Refusal(
            400,
            "BadParameter",
            "The request URI contains an invalid name: " + name,
        )
    value = body.get("value")
    if not isinstance(value, str):
        raise Refusal(400, "BadParameter", "Property value is required.")
    if len(value.encode()) > _MAXIMUM:
        raise Refusal(400, "BadParameter", f"The parameter value exceeds the maximum length of {_MAXIMUM} bytes.")
    secret = vault.secret(name)
    if secret is not None and (secret.deleted_at is not None or secret.being_deleted):
        raise _conflict(secret)
    given = body.get("attributes") or {}
    version = vault.add(
        name,
        seeds.SecretVersion(
            value=value,
            content_type=body.get("contentType"),
            enabled=bool(given.get("enabled", True)),
            not_before=given.get("nbf"),
            expires=given.get("exp"),
            tags=_tags(body.get("tags")),
        ),
        int(call.world.timeline.now()),
    )
    call.effect("secret.set", _id(call, vault, name, version.id), tuple(sorted(body)))
    stored = vault.secret(name)
    assert stored is not None  # noqa: S101 - just added
    return Answer(200, _bundle(call, vault, stored, version))


def patch(call: Call, vault: VaultState, name: str, version_id: str) -> Answer:
    """PATCH: attributes, content type and tags of one version; the answer has no value."""
    secret, version = _live(vault, name, version_id)
    body = call.json()
    given = body.get("attributes") or {}
    if given.get("enabled") is not None:
        version.enabled = bool(given["enabled"])
    if "nbf" in given:
        version.not_before = given["nbf"]
    if "exp" in given:
        version.expires = given["exp"]
    if "contentType" in body:
        version.content_type = body["contentType"]
    if "tags" in body:
        merged = call.world.settings.update_merges_tags
        version.tags = _tags({**(version.tags or {}), **(body["tags"] or {})} if merged else body["tags"])
    version.updated = int(call.world.timeline.now())
    call.effect("secret.update", _id(call, vault, secret.name, version.id), tuple(sorted(body)))
    return Answer(200, _bundle(call, vault, secret, version, value=False))


def _deleted(call: Call, vault: VaultState, secret: Secret) -> Json:
    assert secret.deleted_at is not None  # noqa: S101 - callers checked
    return {
        "recoveryId": _id(call, vault, secret.name, kind="deletedsecrets"),
        "deletedDate": secret.deleted_at,
        "scheduledPurgeDate": secret.deleted_at + _RECOVERABLE_DAYS * 86400,
        **_bundle(call, vault, secret, secret.versions[-1], value=False),
    }


def delete(call: Call, vault: VaultState, name: str) -> Answer:
    """DELETE: soft; the name stays taken until it is recovered or purged."""
    secret, _ = _live(vault, name)
    secret.deleted_at = int(call.world.timeline.now())
    call.effect("secret.delete", _id(call, vault, secret.name))
    return Answer(200, _deleted(call, vault, secret))


def _gone(vault: VaultState, name: str) -> Secret:
    secret = vault.secret(name)
    if secret is None or secret.deleted_at is None:
        raise _not_found(name)
    return secret


def get_deleted(call: Call, vault: VaultState, name: str) -> Answer:
    """GET of a deleted secret."""
    return Answer(200, _deleted(call, vault, _gone(vault, name)))


def recover(call: Call, vault: VaultState, name: str) -> Answer:
    """POST recover: all versions are back."""
    secret = _gone(vault, name)
    secret.deleted_at = None
    secret.being_deleted = False
    call.effect("secret.recover", _id(call, vault, secret.name))
    return Answer(200, _bundle(call, vault, secret, secret.versions[-1], value=False))


def purge(call: Call, vault: VaultState, name: str) -> Answer:
    """DELETE of a deleted secret: the name is free."""
    secret = _gone(vault, name)
    del vault.secrets[name.lower()]
    call.effect("secret.purge", _id(call, vault, secret.name))
    return Answer(204)
