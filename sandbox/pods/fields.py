"""Reads the references of a pod's spec: fields of the pod, Secrets, ConfigMaps, $(VAR)."""

import base64
import re
from collections.abc import Callable, Mapping
from typing import Any

from sandbox.pods.api import Object

_REFERENCE = re.compile(r"\$\$|\$\(([-._a-zA-Z][-._a-zA-Z0-9]*)\)")
_SUBSCRIPT = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")
# Resolves (kind: Secret | ConfigMap, namespace, name).
Lookup = Callable[[str, str, str], Object | None]


class MissingError(Exception):
    """Something the pod refers to does not exist (yet)."""


class UnsupportedError(Exception):
    """The pod requires something that the stand-in cannot do."""


def field_value(pod: Object, path: str, addresses: Mapping[str, str]) -> str:
    """Return the downward API's value of a field path; `addresses` has podIP and hostIP. Raises UnsupportedError."""
    metadata, spec = pod["metadata"], pod["spec"]
    match = _SUBSCRIPT.fullmatch(path)
    if match:
        return str((metadata.get(match[1]) or {}).get(match[2], ""))
    simple = {
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "spec.nodeName": spec["nodeName"],
        "spec.serviceAccountName": spec.get("serviceAccountName", "default"),
        "status.podIP": addresses["podIP"],
        "status.podIPs": addresses["podIP"],
        "status.hostIP": addresses["hostIP"],
        "status.hostIPs": addresses["hostIP"],
    }
    if path in simple:
        return str(simple[path])
    if path in ("metadata.labels", "metadata.annotations"):
        values = metadata.get(path.removeprefix("metadata.")) or {}
        return "".join(f'{name}="{_escaped(value)}"\n' for name, value in sorted(values.items()))
    raise UnsupportedError(f"the field {path} cannot be offered here")


def data_of(lookup: Lookup, kind: str, namespace: str, name: str, optional: bool) -> dict[str, bytes]:
    """Return the entries of a Secret or ConfigMap; none if it is missing and optional. Raises MissingError."""
    found = lookup(kind, namespace, name)
    if found is None:
        if optional:
            return {}
        raise MissingError(f'{kind.lower()} "{name}" not found')
    if kind == "Secret":
        return {key: base64.b64decode(value) for key, value in (found.get("data") or {}).items()}
    entries = {key: str(value).encode() for key, value in (found.get("data") or {}).items()}
    return entries | {key: base64.b64decode(value) for key, value in (found.get("binaryData") or {}).items()}


def environment_of(
    pod: Object, container: Mapping[str, Any], lookup: Lookup, addresses: Mapping[str, str]
) -> dict[str, str]:
    """Return a container's environment: envFrom, then env; later ones win. Raises MissingError, UnsupportedError."""
    namespace = pod["metadata"]["namespace"]
    result: dict[str, str] = {}
    for source in container.get("envFrom") or []:
        for kind, field in (("Secret", "secretRef"), ("ConfigMap", "configMapRef")):
            if field in source:
                reference = source[field]
                entries = data_of(lookup, kind, namespace, reference["name"], reference.get("optional", False))
                prefix = source.get("prefix", "")
                result |= {prefix + key: value.decode(errors="surrogateescape") for key, value in entries.items()}
    for entry in container.get("env") or []:
        if "valueFrom" not in entry:
            result[entry["name"]] = expanded(entry.get("value", ""), result)
            continue
        value = _value_from(pod, entry["valueFrom"], lookup, addresses)
        if value is not None:
            result[entry["name"]] = value
    return result


def _value_from(pod: Object, source: Mapping[str, Any], lookup: Lookup, addresses: Mapping[str, str]) -> str | None:
    if "fieldRef" in source:
        return field_value(pod, source["fieldRef"]["fieldPath"], addresses)
    for kind, field in (("Secret", "secretKeyRef"), ("ConfigMap", "configMapKeyRef")):
        if field in source:
            reference = source[field]
            optional = reference.get("optional", False)
            entries = data_of(lookup, kind, pod["metadata"]["namespace"], reference["name"], optional)
            if reference["key"] in entries:
                return entries[reference["key"]].decode(errors="surrogateescape")
            if optional:
                return None
            raise MissingError(f"couldn't find key {reference['key']} in {kind} {reference['name']}")
    raise UnsupportedError(f"env from {', '.join(source)} cannot be offered here")


def expanded(text: str, values: Mapping[str, str]) -> str:
    """Replace $(NAME) in `text` where NAME is known, and $$ by $."""

    def replaced(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        return values.get(match[1], match[0])

    return _REFERENCE.sub(replaced, text)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
