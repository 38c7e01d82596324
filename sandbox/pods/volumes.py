"""A pod's volumes as directories, updated the way the kubelet does it: all files of a volume change at one moment."""

import dataclasses
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sandbox.pods.api import Object
from sandbox.pods.fields import Lookup, MissingError, UnsupportedError, data_of, field_value

_DATA = "..data"
DEFAULT_TOKEN_SECONDS = 3600


@dataclasses.dataclass(frozen=True)
class TokenRequest:
    """A projected ServiceAccount token that a volume wants."""

    audience: str
    seconds: int


@dataclasses.dataclass(frozen=True)
class Content:
    """The sources of the contents of volumes. `tokens` has those requested from the API server."""

    pod: Object
    lookup: Lookup
    addresses: Mapping[str, str]
    tokens: Mapping[TokenRequest, str]

    @property
    def namespace(self) -> str:
        """Return the pod's namespace."""
        return str(self.pod["metadata"]["namespace"])


def token_requests(pod: Object) -> set[TokenRequest]:
    """Return the tokens that the pod's projected volumes want."""
    sources = [s for v in pod["spec"].get("volumes") or [] for s in (v.get("projected") or {}).get("sources") or []]
    return {_token_request(s["serviceAccountToken"]) for s in sources if "serviceAccountToken" in s}


def files_of(volume: Mapping[str, Any], content: Content) -> dict[str, tuple[bytes, int]] | None:
    """Return relative path → (bytes, mode) of a volume; None for one that the containers fill (emptyDir).

    Raises MissingError for what is not there and not optional, UnsupportedError for other kinds of volumes.
    """
    if "emptyDir" in volume:
        return None
    if "secret" in volume:
        source = {**volume["secret"], "name": volume["secret"]["secretName"]}
        return _entries("Secret", source, content, source.get("defaultMode", 0o644))
    if "configMap" in volume:
        return _entries("ConfigMap", volume["configMap"], content, volume["configMap"].get("defaultMode", 0o644))
    if "downwardAPI" in volume:
        return _downward(volume["downwardAPI"], content, volume["downwardAPI"].get("defaultMode", 0o644))
    if "projected" in volume:
        result: dict[str, tuple[bytes, int]] = {}
        mode = volume["projected"].get("defaultMode", 0o644)
        for source in volume["projected"].get("sources") or []:
            result |= _projected(source, content, mode)
        return result
    kinds = ", ".join(sorted(set(volume) - {"name"}))
    raise UnsupportedError(f"volume {volume['name']}: the sandbox has no {kinds} volumes")


def _projected(source: Mapping[str, Any], content: Content, mode: int) -> dict[str, tuple[bytes, int]]:
    if "secret" in source:
        return _entries("Secret", source["secret"], content, mode)
    if "configMap" in source:
        return _entries("ConfigMap", source["configMap"], content, mode)
    if "downwardAPI" in source:
        return _downward(source["downwardAPI"], content, mode)
    if "serviceAccountToken" in source:
        wanted = source["serviceAccountToken"]
        token = content.tokens.get(_token_request(wanted))
        if token is None:
            raise MissingError("the ServiceAccount token is not issued yet")
        return {wanted["path"]: (token.encode(), 0o600)}
    raise UnsupportedError(f"a projected volume cannot have {', '.join(source)} here")


def _token_request(source: Mapping[str, Any]) -> TokenRequest:
    return TokenRequest(source.get("audience", ""), source.get("expirationSeconds") or DEFAULT_TOKEN_SECONDS)


def _entries(kind: str, source: Mapping[str, Any], content: Content, mode: int) -> dict[str, tuple[bytes, int]]:
    optional = source.get("optional", False)
    entries = data_of(content.lookup, kind, content.namespace, source["name"], optional)
    if not source.get("items"):
        return {key: (value, mode) for key, value in entries.items()}
    result = {}
    for item in source["items"]:
        if item["key"] in entries:
            result[item["path"]] = (entries[item["key"]], item.get("mode", mode))
        elif not optional:
            raise MissingError(f"references non-existent {kind.lower()} key: {item['key']}")
    return result


def _downward(source: Mapping[str, Any], content: Content, mode: int) -> dict[str, tuple[bytes, int]]:
    result = {}
    for item in source.get("items") or []:
        if "fieldRef" not in item:
            raise UnsupportedError("downward volumes have fields only here, no resources")
        value = field_value(content.pod, item["fieldRef"]["fieldPath"], content.addresses)
        result[item["path"]] = (value.encode(), item.get("mode", mode))
    return result


def write(directory: Path, files: Mapping[str, tuple[bytes, int]]) -> bool:
    """Replace the files of `directory` atomically. Returns whether anything changed.

    As the kubelet: a new directory ..<time>, the link ..data swapped to it, links <first part> → ..data/<first part>.
    """
    directory.mkdir(parents=True, exist_ok=True)
    link = directory / _DATA
    if link.is_symlink() and _read(link.resolve()) == dict(files):
        return False
    before = link.resolve() if link.is_symlink() else None
    fresh = Path(tempfile.mkdtemp(prefix="..", dir=directory))
    fresh.chmod(0o755)
    for name, (value, mode) in files.items():
        path = _inside(fresh, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_bytes(value)
        path.chmod(mode)
    scratch = directory / "..data_tmp"
    scratch.unlink(missing_ok=True)
    scratch.symlink_to(fresh.name)
    scratch.replace(link)
    firsts = {name.split("/")[0] for name in files}
    for first in firsts:
        if not os.path.lexists(directory / first):
            (directory / first).symlink_to(f"{_DATA}/{first}")
    for entry in directory.iterdir():
        if entry.is_symlink() and not entry.name.startswith("..") and entry.name not in firsts:
            entry.unlink()
    if before is not None:
        shutil.rmtree(before, ignore_errors=True)
    return True


def _inside(directory: Path, name: str) -> Path:
    if name.startswith(("/", "..")) or ".." in name.split("/"):
        raise UnsupportedError(f"a file of a volume cannot be called {name!r}")
    return directory / name


def _read(directory: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(directory)): (path.read_bytes(), path.stat().st_mode & 0o7777)
        for path in directory.rglob("*")
        if path.is_file()
    }
