"""Check a storage account's connection string before it is sent anywhere. It is never shown."""

from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from secure_redis.api import names
from secure_redis.api.reasons.reason import Reason
from secure_redis.domain.explanation import Blocked
from secure_redis.domain.observe.secret import SecretFacts
from secure_redis.domain.observe.storage import StorageFacts

# Microsoft, "Configure Azure Storage connection strings". Names have no case.
_PLAIN: Final = frozenset({"defaultendpointsprotocol", "accountname", "accountkey", "endpointsuffix"})
_BLOB_ENDPOINT: Final = "blobendpoint"
_LONGEST: Final = 1024  # characters; a real one has about 190
_KEY_LENGTH: Final = 88  # 64 bytes in base64
_BASE64: Final = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=")


def connection_string(secret: SecretFacts, storage: StorageFacts) -> SecretStr | Blocked:
    """Return the connection string of this account from the user's Secret, in the one form that is sent.

    `storage`: the account as Azure reported it; its blob endpoint contains the cloud's suffix. No message contains
    any part of the value.
    """
    where = f"Secret {secret.name!r}"
    if secret.deleting:
        return Blocked(Reason.STORAGE_SECRET_MISSING, f"{where} is being deleted")
    if secret.type != names.STORAGE_SECRET_TYPE:
        return _refused(where, f"must be of type {names.STORAGE_SECRET_TYPE}")
    value = secret.data.get(names.STORAGE_SECRET_KEY)
    if value is None:
        return _refused(where, f"holds no key {names.STORAGE_SECRET_KEY}")
    try:
        text = value.get_secret_value().decode("ascii").strip()
    except UnicodeDecodeError:
        return _refused(where, "does not hold a connection string")
    return _checked(where, text, storage)


def _checked(where: str, text: str, storage: StorageFacts) -> SecretStr | Blocked:
    parts = _parts(text)
    if parts is None:
        return _refused(where, "does not hold a connection string of the form Name=value;Name=value")
    if "sharedaccesssignature" in parts:
        return _refused(where, "holds a shared access signature; only an account key is accepted")
    other = sorted(set(parts) - _PLAIN - {_BLOB_ENDPOINT})
    if other:
        return _refused(where, "holds parts besides protocol, account name, account key, suffix and blob endpoint")
    if parts.get("defaultendpointsprotocol", "").lower() != "https":
        return _refused(where, "must contain DefaultEndpointsProtocol=https")
    account = storage.account_id.name.lower()
    if parts.get("accountname", "").lower() != account:
        return _refused(where, f"is for another account than {account!r}, which spec.persistence names")
    host = urlsplit(storage.blob_endpoint or "").hostname or ""
    suffix = host.removeprefix(f"{account}.blob.")
    if not suffix or suffix == host:
        return Blocked(Reason.STORAGE_UNREAD, f"Azure does not report the blob endpoint of account {account!r}")
    if parts.get("endpointsuffix", suffix).lower() != suffix:
        return _refused(where, f"names another endpoint suffix than {suffix}, which is the cloud's")
    endpoint = parts.get(_BLOB_ENDPOINT)
    if endpoint is not None and endpoint.rstrip("/").lower() != f"https://{host}":
        return _refused(where, f"names another blob endpoint than https://{host}")
    key = parts.get("accountkey", "")
    if len(key) != _KEY_LENGTH or not set(key) <= _BASE64:
        return _refused(where, "holds no whole account key (a masked one, as Azure shows it, cannot be used)")
    return SecretStr(f"DefaultEndpointsProtocol=https;AccountName={account};AccountKey={key};EndpointSuffix={suffix}")


def _parts(text: str) -> dict[str, str] | None:
    """Split the text into values by name in lower case; None: it is no list of such pairs, or a name comes twice."""
    if not text or len(text) > _LONGEST or any(character <= " " or character > "~" for character in text):
        return None
    found: dict[str, str] = {}
    for piece in text.removesuffix(";").split(";"):
        name, equals, value = piece.partition("=")
        if not equals or not name or not value or name.lower() in found:
            return None
        found[name.lower()] = value
    return found


def _refused(where: str, why: str) -> Blocked:
    return Blocked(Reason.STORAGE_SECRET_REFUSED, f"{where} {why}; it was not sent to Azure")
