"""Only a service's own files know which service a cache is of; each step has one file per service."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import secure_redis
from secure_redis.api.azure_ids import Service

OPERATOR = Path(secure_redis.__path__[0])
FILES = sorted(path.relative_to(OPERATOR) for path in OPERATOR.rglob("*.py"))
# A service's own files, in every step that has some: redis.py, managed_redis.py, and the folders of azure/.
OWN = {"redis", "managed_redis"}
TYPES = {"Redis", "ManagedRedis", "ManagedDatabase"}
# Where a step chooses a service's file, and where a resource id becomes a service.
MAPPINGS = {
    "api/azure_ids.py",
    "domain/observe/services.py",
    "domain/assess/services.py",
    "domain/plan/cache/services.py",
    "domain/report/conditions/cache.py",
    "cli/compose.py",
}


def own(path: Path) -> bool:
    return path.stem in OWN or path.parent.name in OWN


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse((OPERATOR / path).read_text())


def members(node: ast.AST) -> Iterator[str]:
    """The members of Service that are named in a part of the code."""
    for one in ast.walk(node):
        if isinstance(one, ast.Attribute) and isinstance(one.value, ast.Name) and one.value.id == "Service":
            yield one.attr


def mappings(path: Path) -> Iterator[list[str]]:
    """The members that a mapping from or to services names."""
    for one in ast.walk(tree(path)):
        if isinstance(one, ast.Dict):
            keys = [key for key in one.keys if key is not None]
            named = [name for side in (keys, one.values) for part in side for name in members(part)]
            if named:
                yield named


def type_tests(path: Path) -> Iterator[str]:
    """Find comparisons and patterns that test for the type of one service's cache."""
    for one in ast.walk(tree(path)):
        tests_type = isinstance(one, ast.Compare | ast.MatchClass) or (
            isinstance(one, ast.Call) and isinstance(one.func, ast.Name) and one.func.id in {"isinstance", "issubclass"}
        )
        if tests_type and any(isinstance(part, ast.Name) and part.id in TYPES for part in ast.walk(one)):
            yield f"line {getattr(one, 'lineno', '?')}: {ast.unparse(one)}"


@pytest.mark.parametrize("path", [path for path in FILES if not own(path)], ids=str)
def test_no_other_file_asks_which_service_a_cache_is_of(path: Path) -> None:
    assert list(type_tests(path)) == []
    in_mappings = [name for named in mappings(path) for name in named]
    assert sorted(members(tree(path))) == sorted(in_mappings)
    assert (path.as_posix() in MAPPINGS) is bool(in_mappings)


@pytest.mark.parametrize("path", sorted(MAPPINGS))
def test_each_step_has_an_implementation_for_every_service(path: str) -> None:
    for named in mappings(Path(path)):
        assert sorted(named) == sorted(service.name for service in Service)


def test_the_files_of_the_services_are_side_by_side() -> None:
    for path in FILES:
        if path.stem in OWN and path.parts[0] == "domain":
            assert {one.stem for one in FILES if one.parent == path.parent} >= OWN
