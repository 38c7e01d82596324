"""Finds a secret wherever it could have gone, in whatever spelling."""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, quote_plus

from sandbox.api import Api, Document

_EDGE = 2  # characters at each end of an embedded base64 that depend on what is beside the secret


def spellings(secret: str) -> dict[str, str]:
    """The forms in which a text could carry `secret`: itself, encoded, or a digest of it."""
    raw = secret.encode()
    found = {
        "raw": secret,
        "JSON": json.dumps(secret)[1:-1],
        "URL": quote(secret, safe=""),
        "form": quote_plus(secret),
        "URL twice": quote(quote(secret, safe=""), safe=""),
        "hex": raw.hex(),
    }
    for before in range(3):
        for name, encode in (("base64", base64.b64encode), ("base64url", base64.urlsafe_b64encode)):
            text = encode(b"\0" * before + raw).decode().rstrip("=")
            found[f"{name} at {before}"] = text[_EDGE + 2 if before else 0 : -_EDGE]
    once = base64.b64encode(raw)
    found["base64 twice"] = base64.b64encode(once).decode().rstrip("=")[:-_EDGE]
    for algorithm in ("md5", "sha1", "sha256", "sha512"):
        digest = hashlib.new(algorithm, raw, usedforsecurity=False).digest()
        found[algorithm] = digest.hex()
        found[f"{algorithm} in base64"] = base64.b64encode(digest).decode().rstrip("=")
    return found


def leaks(secrets: Mapping[str, str], places: Iterable[tuple[str, str]]) -> list[str]:
    """Where which secret was found, by their names: never the secret itself."""
    forms = [(name, how, text) for name, secret in secrets.items() for how, text in spellings(secret).items()]
    return sorted(
        {f"{name} ({how}) in {place}" for place, content in places for name, how, text in forms if text in content}
    )


def objects(api: Api, namespace: str) -> Iterator[tuple[str, Document]]:
    """Every object of a namespace, of every kind that the API server lists, whole."""
    groups = [group["preferredVersion"]["groupVersion"] for group in api.get("/apis").must()["groups"]]
    for version in ("v1", *groups):
        root = f"/apis/{version}" if "/" in version else f"/api/{version}"
        for kind in api.get(root).must()["resources"]:
            if not kind["namespaced"] or "list" not in kind["verbs"]:
                continue
            for item in api.get(f"{root}/namespaces/{namespace}/{kind['name']}").must()["items"]:
                yield f"{kind['name']} {namespace}/{item['metadata']['name']}", item
