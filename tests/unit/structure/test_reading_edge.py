"""Every read of an observation uses `reconciler.edge`, so that no answer can end a pass."""

import ast
from pathlib import Path

import pytest

OBSERVE = Path(__file__).parents[3] / "operator" / "secure_redis" / "reconciler" / "observe"
# The observer guards the readers as a whole. Probes are not part of a pass.
FILES = sorted(file for file in OBSERVE.glob("*.py") if file.name != "observer.py")
# These readers are called by a reader; the type of these two reads has no Unknown: the whole part is Unknown then.
READERS = {"_storage", "_credential", "_rotation", "_usage", "_operations"}
WITHOUT_UNKNOWN = {("_workloads", "injected"), ("_config_maps", "read")}


def unguarded(code: str) -> list[str]:
    """Find the awaited calls of a client's method that `guarded` does not surround."""
    found = []
    for node in ast.walk(ast.parse(code)):
        if not isinstance(node, ast.Await) or not isinstance(node.value, ast.Call):
            continue
        function = node.value.func
        if not (isinstance(function, ast.Attribute) and isinstance(function.value, ast.Attribute)):
            continue
        client = function.value.attr
        if client not in {*READERS, "_changed"} and (client, function.attr) not in WITHOUT_UNKNOWN:
            found.append(f"line {node.lineno}: {client}.{function.attr}")
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_read_is_guarded(file: Path) -> None:
    assert unguarded(file.read_text(encoding="utf-8")) == []


def test_an_unguarded_read_is_noticed() -> None:
    assert unguarded("async def f(self):\n    return await self._caches.list_keys(identity)\n") == [
        "line 2: _caches.list_keys"
    ]
    assert unguarded("async def f(self):\n    return await guarded(self._caches.list_keys(identity), 'x')\n") == []
