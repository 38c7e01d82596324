"""Nothing secret is found anywhere but, for the published key, in the Secret and in Key Vault."""

import base64
import json
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from sandbox.api import Document
from sandbox.azure.seeds import seeds
from sandbox.azure.state.faults import Fault
from sandbox.gate import Gate
from sandbox.waiting import PATIENCE, wait_for
from sandbox.world import World
from tests.faults import operators
from tests.faults.canaries import Planted, leaks, objects, quoted, spellings
from tests.faults.canaries_storage import persist
from tests.faults.scenarios import CORRECT, PROVISION, PUBLISH

_TOKEN = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}|ZXlK[A-Za-z0-9+/]{20,}")  # a JWT, and one in base64
_CAPABILITY = re.compile(r"(?i)(asyncoperations|operationresults)/[0-9a-f-]{8,}|\$?skiptoken=(?!\[redacted)")
_CUT: tuple[tuple[Literal["arm", "vault"], str], ...] = (
    ("arm", "team-.*/redis"),
    ("arm", "listKeys"),
    ("vault", "/secrets/"),
)


def key() -> str:
    """In the form of Azure's access keys."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


@pytest.fixture(scope="module")
def planted(world: World, gate: Gate) -> Iterator[Planted]:
    """An operator at DEBUG that has published, provisioned and corrected, and seen every kind of error."""
    kubeconfig = gate.kubeconfig(operators.operator_kubeconfig(world))
    operator = operators.start(world, kubeconfig, logging={"level": "DEBUG"})
    held = Planted(world, gate, operator)
    try:
        _publish_and_fail(held)
        _provision_and_correct(held)
        persist(held)
        _refuse_at_admission(held)
        operator.child.check()
        yield held
    finally:
        operator.child.kill()


def _publish_and_fail(held: Planted) -> None:
    world, stage = held.world, PUBLISH.stage(held.world)
    held.stages.append(stage)
    held.keys_of(stage)
    world.apply(stage.document)
    world.await_condition(stage.document, "Ready", "True")
    shown = held.hidden[f"Secondary key of {stage.name}"]
    arm, vault, entra = (held.hostile(name, shown) for name in ("arm", "vault", "entra"))
    faults = [
        Fault(service="arm", method=method, path=f"team-.*/redis{path}", kind="status", status=status, body=arm)
        for method, path in (("GET", ""), ("POST", "/.*/listKeys"))
        for status in (400, 401, 403, 409, 429, 500, 503)
    ]
    faults += [Fault(service="vault", kind="status", status=status, body=vault) for status in (400, 401, 403, 404, 500)]
    faults += [
        Fault(service=service, path=path, kind=kind)
        for service, path in _CUT
        for kind in ("truncated", "html", "reset")
    ]
    for fault in faults:
        with world.control.faults.during(fault):
            held.refresh(stage)
    # A key that the operator has listed, in every spelling that Azure could quote it in.
    for text in quoted(shown).values():
        refusal = {"error": {"code": "Quoting", "message": f"the value {text} is refused"}}
        with world.control.faults.during(
            Fault(service="arm", method="GET", path="team-.*/redis", kind="status", status=400, body=refusal)
        ):
            held.refresh(stage)
    # Tokens are asked for again when the old ones are revoked.
    for fault in (
        Fault(service="entra", kind="status", status=400, body=entra),
        Fault(service="entra", kind="status", status=500, body=entra),
        Fault(service="entra", kind="truncated"),
        Fault(service="entra", kind="reset"),
    ):
        world.control.access.revoke_tokens(stage.team.object_id)
        with world.control.faults.during(fault):
            held.refresh(stage)

    def known() -> bool:
        held.refresh(stage)
        return (world.condition(stage.document, "CacheAvailable") or ("",))[0] == "True"

    wait_for(known, PATIENCE, "the identity to be trusted again", interval=1)
    for name, value in {
        "a value that is no key": held.word("a value that is no key"),
        "a value with a newline": f"{held.word('a value with a newline')}\nsecond line",
        "a huge value": held.word("a huge value") + "x" * 20_000,
        "another cache's key": held.hidden.setdefault("another cache's key", key()),
    }.items():
        world.control.keyvault.set_secret(stage.team.name, stage.name, seeds.SecretVersion(value=value))
        held.refresh(stage)
        world.await_condition(stage.document, "CredentialsSynced", "False")
        assert name
    disabled = seeds.SecretVersion(value=held.word("a disabled value"), enabled=False)
    world.control.keyvault.set_secret(stage.team.name, stage.name, disabled)
    held.refresh(stage)
    world.store_key(stage.team, stage.name)
    held.refresh(stage)
    world.await_condition(stage.document, "Ready", "True")


def _provision_and_correct(held: Planted) -> None:
    world = held.world
    made, corrected = PROVISION.stage(world), CORRECT.stage(world)
    held.stages += [made, corrected]
    shown = held.hidden.setdefault("a key in a refusal", key())
    for service, path in (
        ("arm", f"/redis/{made.name}$"),
        ("arm", "firewallRules"),
        ("vault", f"/secrets/{made.name}"),
    ):
        refused = Fault(
            service="vault" if service == "vault" else "arm",
            method="PUT",
            path=path,
            kind="status",
            status=500,
            body=held.hostile(f"{service} {path}", shown),
        )
        world.control.faults.add(refused)
    world.apply(made.document)
    wait_for(lambda: PROVISION.done(made), PATIENCE, "the cache to be provisioned")
    held.keys_of(made)
    held.keys_of(corrected)
    assert CORRECT.begin is not None
    CORRECT.begin(corrected)
    world.control.faults.add(
        Fault(service="arm", method="PATCH", kind="status", status=400, body=held.hostile("arm PATCH", shown))
    )
    CORRECT.trigger(corrected)
    # A refusal for good is tried again in an hour, or when a person asks.

    def was_refused() -> bool:
        return any(r.method == "PATCH" and r.status == 400 for r in world.control.log.requests())

    wait_for(was_refused, PATIENCE, "the refusal")
    held.refresh(corrected)
    wait_for(
        lambda: world.control.log.effects() and "firewallRule.delete" in corrected.effects(), PATIENCE, "a correction"
    )


def _refuse_at_admission(held: Planted) -> None:
    """A foreign admission policy quotes the Secret that it refuses."""
    world, stage = held.world, PUBLISH.stage(held.world)
    held.stages.append(stage)
    held.keys_of(stage, published="none")
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": "quotes"},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": stage.team.namespace}},
                "resourceRules": [
                    {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["secrets"]}
                ],
            },
            "validations": [
                {
                    "expression": "!has(object.data)",
                    "messageExpression": "'not with password ' + string(object.data['password'])",
                }
            ],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": "quotes"},
        "spec": {"policyName": "quotes", "validationActions": ["Deny"]},
    }
    world.api.apply(policy).must()
    world.api.call("POST", "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings", binding).must()
    probe: Document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "probe", "namespace": stage.team.namespace},
        "data": {"password": base64.b64encode(b"probe").decode()},
    }
    wait_for(lambda: not world.api.create(probe, dry_run=True).ok, PATIENCE, "the quoting policy to be in force")
    world.apply(stage.document)
    world.await_condition(stage.document, "CredentialsSynced", "False", "SecretRefused")


def test_nothing_secret_is_anywhere(planted: Planted, capsys: pytest.CaptureFixture[str]) -> None:
    tokens = {f"ServiceAccount token {n}": token for n, token in enumerate(planted.gate.tokens)}
    assert tokens, "no ServiceAccount token was issued through the gate"
    kubeconfig = operators.operator_kubeconfig(planted.world).read_text()
    wanted = {**planted.hidden, **planted.published, **tokens}
    places = list(planted.places())
    with capsys.disabled():
        # A figure for the person who runs it.
        size = sum(len(text) for _, text in places)
        print(f"\ncanaries: {len(wanted)} secrets, {len(places)} places, {size} characters")  # noqa: T201
    assert leaks(wanted, places) == []
    assert [name for name, text in places if _TOKEN.search(text)] == []
    assert "token:" in kubeconfig


def test_a_hostile_error_body_is_not_quoted(planted: Planted) -> None:
    found = leaks(planted.quoted, planted.places())
    assert not found, "\n".join(found)


def test_no_operation_url_is_anywhere(planted: Planted) -> None:
    asked = [r.path.rsplit("/", 1)[-1] for r in planted.world.control.log.requests() if "operation" in r.path.lower()]
    assert asked, "no operation was ever polled"
    shown = [place for place in planted.places() if not place[0].startswith("the API server")]
    assert leaks({f"operation {n}": name for n, name in enumerate(sorted(set(asked)))}, shown) == []
    assert [name for name, text in shown if _CAPABILITY.search(text)] == []


def test_the_published_key_is_in_the_secret_only(planted: Planted) -> None:
    places = [
        (name, json.dumps({k: base64.b64decode(v).decode() for k, v in (item.get("data") or {}).items()}))
        for stage in planted.stages
        for name, item in objects(planted.world.api, stage.team.namespace)
        if name.startswith("secrets ")
    ]
    assert leaks(planted.hidden, places) == []
    found = leaks(planted.published, places)
    assert planted.published
    for name in planted.published:
        assert any(hit.startswith(f"{name} (raw)") for hit in found), f"{name} was not published"


def test_the_search_finds_what_was_planted_on_purpose(planted: Planted) -> None:
    secret = f'{key()}/?é"\n'
    for how, text in spellings(secret).items():
        assert leaks({"it": secret}, [("here", f"before {text} after")]), how
    stage, value = planted.stages[0], key()
    hidden = base64.b64encode(f"user:{value}".encode()).decode()
    document = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "careless", "namespace": stage.team.namespace, "annotations": {"hint": hidden}},
    }
    planted.world.api.apply(document).must()
    try:
        found = leaks({"it": value}, planted.places())
        assert any(f"configmaps {stage.team.namespace}/careless" in hit for hit in found)
    finally:
        planted.world.api.delete(document).must()
    assert _TOKEN.search(planted.gate.tokens[0])


def test_the_log_is_at_debug_and_has_audit_records(planted: Planted) -> None:
    entries = planted.operator.entries()
    assert any(entry.get("level") == "debug" for entry in entries)
    audited = {entry["audit"]["action"] for entry in entries if "audit" in entry}
    assert {"CreateSecret", "CreateCache", "StoreKey", "UpdateCache", "PersistCache", "DeleteFirewallRule"} <= audited
    assert [entry for entry in entries if "raw" in entry] == []


def test_the_directory_of_the_operator_holds_no_key(planted: Planted) -> None:
    home: Path = planted.operator.log.parent
    places = [(path.name, path.read_text(errors="replace")) for path in home.iterdir() if path.is_file()]
    assert leaks({**planted.hidden, **planted.published}, places) == []
