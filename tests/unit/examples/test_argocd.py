"""The Argo CD kit: its Lua under what Argo CD gives a script, by test files in the form of its own tests."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from lupa.lua51 import LuaRuntime, lua_type

from scripts import argocd
from tests.unit.docs.test_written import SCHEMA, strict

HEALTH = yaml.safe_load((argocd.SCRIPTS / "health_test.yaml").read_text())["tests"]
ACTIONS = yaml.safe_load((argocd.SCRIPTS / "actions" / "action_test.yaml").read_text())
TESTDATA = sorted(argocd.SCRIPTS.rglob("testdata/*.yaml"))
# Argo CD opens these for a script: package, base, table and a clock (argo-cd util/lua/lua.go); nothing else is there.
WITHHELD = ("string", "math", "io", "debug", "coroutine", "python")


def runtime() -> Any:
    lua = LuaRuntime(unpack_returned_tuples=True)
    for name in WITHHELD:
        lua.globals()[name] = None
    # Methods on strings (("x"):lower()) come from the string library too.
    lua.execute("getmetatable('').__index = nil")
    return lua


def to_lua(lua: Any, value: Any) -> Any:
    if isinstance(value, dict):
        return lua.table_from({key: to_lua(lua, one) for key, one in value.items()})
    if isinstance(value, list):
        return lua.table_from([to_lua(lua, one) for one in value])
    return value


def from_lua(value: Any) -> Any:
    """A table as JSON; an empty one is left out by the caller, since it has lost whether it was a list."""
    if lua_type(value) != "table":
        return value
    pairs = {key: from_lua(one) for key, one in value.items()}
    if pairs and all(isinstance(key, int) for key in pairs):
        return [pairs[key] for key in sorted(pairs)]
    return pairs


def without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: without_empty(one) for key, one in value.items()}
        return {key: one for key, one in kept.items() if one not in ({}, [])}
    return [without_empty(one) for one in value] if isinstance(value, list) else value


def run(script: str, document: Any) -> Any:
    lua = runtime()
    lua.globals().obj = to_lua(lua, document)
    return from_lua(lua.execute(script))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", HEALTH, ids=[case["inputPath"] for case in HEALTH])
def test_health(case: dict[str, Any]) -> None:
    found = run(argocd.health(strict=False), load(argocd.SCRIPTS / case["inputPath"]))
    assert found == case["healthStatus"]


@pytest.mark.parametrize("case", HEALTH, ids=[case["inputPath"] for case in HEALTH])
def test_the_strict_variant_differs_for_what_is_unsafe_only(case: dict[str, Any]) -> None:
    found = run(argocd.health(strict=True), load(argocd.SCRIPTS / case["inputPath"]))
    unsafe = case["inputPath"].endswith("unsafe.yaml")
    assert found == {**case["healthStatus"], **({"status": "Degraded"} if unsafe else {})}


@pytest.mark.parametrize("kind", ["TransportSecured", "PersistenceEncrypted", "Compliant"])
@pytest.mark.parametrize("status", ["False", "Unknown"])
def test_every_concern_is_reported_and_never_degrades(kind: str, status: str) -> None:
    document = load(argocd.SCRIPTS / "testdata/healthy.yaml")
    kept = [one for one in document["status"]["conditions"] if one["type"] != kind]
    told = {"type": kind, "status": status, "reason": "Why", "message": "what"}
    document["status"]["conditions"] = [*kept, told]
    found = run(argocd.health(strict=False), document)
    assert found["status"] == "Healthy"
    assert f"{kind}={status}: Why: what" in found["message"]


@pytest.mark.parametrize("case", ACTIONS["discoveryTests"], ids=lambda case: case["inputPath"])
def test_which_actions_are_offered(case: dict[str, Any]) -> None:
    folder = argocd.SCRIPTS / "actions"
    found = run((folder / "discovery.lua").read_text(), load(folder / case["inputPath"]))
    assert found == {one["name"]: {"disabled": one["disabled"]} for one in case["result"]}
    assert set(found) == set(argocd.ACTIONS)


@pytest.mark.parametrize("case", ACTIONS["actionTests"], ids=lambda case: case["action"])
def test_what_an_action_changes(case: dict[str, Any]) -> None:
    folder = argocd.SCRIPTS / "actions"
    before = load(folder / case["inputPath"])
    found = run((folder / case["action"] / "action.lua").read_text(), before)
    assert without_empty(found) == without_empty(load(folder / case["expectedOutputPath"]))
    assert without_empty(found) != without_empty(before)


def test_every_action_is_tested() -> None:
    folders = {path.name for path in (argocd.SCRIPTS / "actions").iterdir() if path.is_dir()} - {"testdata"}
    assert folders == set(argocd.ACTIONS) == {case["action"] for case in ACTIONS["actionTests"]}


@pytest.mark.parametrize("path", TESTDATA, ids=lambda path: path.name)
def test_the_test_data_are_objects_that_the_api_server_would_store(path: Path) -> None:
    jsonschema.Draft202012Validator(strict(SCHEMA)).validate(load(path))


def test_every_file_of_test_data_is_used() -> None:
    used = {argocd.SCRIPTS / case["inputPath"] for case in HEALTH}
    for case in (*ACTIONS["discoveryTests"], *ACTIONS["actionTests"]):
        used |= {argocd.SCRIPTS / "actions" / path for key, path in case.items() if key.endswith("Path")}
    assert set(TESTDATA) == used


def test_the_patches_are_those_of_the_scripts() -> None:
    for name, text in argocd.patches().items():
        assert (argocd.KIT / name).read_text(encoding="utf-8") == text, "run `make docs`"
    data = yaml.safe_load(argocd.patches()["argocd-cm.yaml"])["data"]
    assert data[f"resource.customizations.health.{argocd.KIND}"] == (argocd.SCRIPTS / "health.lua").read_text()
    assert yaml.safe_load(data[f"resource.customizations.actions.{argocd.KIND}"]) == argocd.actions()
