"""Finds a secret wherever it could have gone, in whatever spelling."""

import base64
import hashlib
import json
import urllib.request
import uuid
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, quote_plus

from sandbox.api import Api, Document
from sandbox.chart.render import RELEASE_NAMESPACE
from sandbox.gate import Gate
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.scenarios import Stage

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


def quoted(secret: str) -> dict[str, str]:
    """The forms in which a server could quote a secret that it was sent or that it holds: no digests."""
    return {
        **{how: text for how, text in spellings(secret).items() if how.startswith(("raw", "URL", "hex", "base64"))},
        "a path": f"/keys/{secret}/versions",
        "JSON escapes": secret.replace("+", "\\u002b").replace("/", "\\/").replace("=", "\\u003d"),
        "percent of every character": "".join(f"%{byte:02X}" for byte in secret.encode()),
    }


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


@dataclass
class Planted:
    """All that must be found nowhere; `published` is allowed in the data of the Secrets of that name."""

    world: World
    gate: Gate
    operator: operators.Operator
    hidden: dict[str, str] = field(default_factory=dict)
    published: dict[str, str] = field(default_factory=dict)
    quoted: dict[str, str] = field(default_factory=dict)  # from error bodies that want to be quoted
    stages: list[Stage] = field(default_factory=list)
    earlier: list[tuple[str, str]] = field(default_factory=list)  # what objects said between errors
    refreshes: int = 0

    def word(self, name: str) -> str:
        """A new secret of no particular form."""
        self.hidden[name] = f"canary{uuid.uuid4().hex}"
        return self.hidden[name]

    def keys_of(self, stage: Stage, published: str = "Primary") -> None:
        """A cache's keys: one of them is published, the other nowhere."""
        for slot, value in self.world.control.redis.keys(stage.name).items():
            place = self.published if slot == published else self.hidden
            place[f"{slot} key of {stage.name}"] = value

    def hostile(self, service: str, shown: str) -> dict[str, Any]:
        """Return the body of a hostile error, to be quoted; `shown` is a secret that the service really knows."""

        def word(name: str) -> str:
            return self.quoted.setdefault(f"{name} #{len(self.quoted)}", f"canary{uuid.uuid4().hex}")

        said = (
            f"password={word(f'{service} password')} rediss://:{word(f'{service} userinfo')}@h:6380 key {shown} "
            f"AccountKey={word(f'{service} account key')};Authorization: Bearer {word(f'{service} bearer')} "
            f'"access_token": "{word(f"{service} token")}" https://h.test/x?sig={word(f"{service} signature")}'
        )
        details = [{"code": "X", "message": said, "target": said}]
        error = {"code": "Hostile", "message": said, "details": details, "innererror": {"trace": said}}
        return {"error": "invalid_client", "error_description": said} if service == "entra" else {"error": error}

    def refresh(self, stage: Stage) -> None:
        """Have the operator read the resource again, and wait until that is done."""
        self.refreshes += 1
        value = f"r{self.refreshes}"
        annotation = {"metadata": {"annotations": {"secureredis.io/refresh": value}}}
        self.world.api.merge(stage.document, annotation).must()

        def handled() -> bool:
            found = self.world.get(stage.document) or {}
            return bool(found.get("status", {}).get("lastHandled", {}).get("refresh") == value)

        wait_for(handled, PATIENCE, f"the refresh {value} of {stage.name}")
        self.earlier.append((f"{stage.name} after refresh {value}", json.dumps(self.world.get(stage.document))))

    def places(self) -> Iterator[tuple[str, str]]:
        """Yield everything that others can read; a Secret's data are left out where `published` covers them."""
        yield from self.earlier
        yield "the operator's log", self.operator.log.read_text(errors="replace")
        served = self.operator.said("health and metrics are served")
        assert served is not None
        for path in ("metrics", "healthz", "readyz"):
            url = f"http://127.0.0.1:{served['port']}/{path}"
            with urllib.request.urlopen(url, timeout=10) as answer:
                yield path, answer.read().decode()
        log = self.world.cluster.audit_log.read_text(errors="replace").splitlines()
        # The API server itself notes what the quoting policy said; that is not the operator's doing.
        yield "the API server's audit log", "\n".join(line for line in log if "not with password" not in line)
        for namespace in (RELEASE_NAMESPACE, *(stage.team.namespace for stage in self.stages)):
            for name, item in objects(self.world.api, namespace):
                # `objects` lists the operator's objects whole: another test checks the data of a Secret.
                item.pop("data", None) if name.startswith("secrets ") else None
                yield name, json.dumps(item, ensure_ascii=False)
