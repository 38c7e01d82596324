"""Every action says what it changes, and `act` has a branch for it.

Strict mypy finds a missing branch by `assert_never`. These tests keep each `match` ending in one, because without it
mypy would accept the missing branch.
"""

import ast
import inspect
from typing import Any, get_args

import pytest

from secure_redis.domain.plan import actions
from secure_redis.domain.plan.actions import Action
from secure_redis.reconciler import act

ACTIONS: tuple[type[Any], ...] = get_args(Action)
MATCHES = [node for node in ast.walk(ast.parse(inspect.getsource(act))) if isinstance(node, ast.Match)]


@pytest.mark.parametrize("action", ACTIONS)
def test_each_action_declares_its_target_its_fields_its_effect_and_its_proof(action: type[Any]) -> None:
    assert callable(action.target)
    assert isinstance(action.audited_fields, property)
    effect, done, proof = (action.__doc__ or "").partition("Done:")
    assert effect.strip()
    assert done
    assert proof.strip()


def test_the_union_has_every_action() -> None:
    classes = {one for one in vars(actions).values() if inspect.isclass(one) and one.__module__ == actions.__name__}
    public = {one for one in classes if not one.__name__.startswith("_")}
    assert public == set(ACTIONS)


@pytest.mark.parametrize("match", MATCHES, ids=lambda match: str(match.lineno))
def test_each_match_of_act_ends_in_assert_never(match: ast.Match) -> None:
    last = match.cases[-1]
    assert ast.unparse(last.pattern) == "_"
    assert ast.unparse(last.body[-1]) == f"assert_never({ast.unparse(match.subject)})"


def test_each_has_exactly_one_branch() -> None:
    branches = [ast.unparse(case.pattern).removesuffix("()") for match in MATCHES for case in match.cases[:-1]]
    assert sorted(branches) == sorted(action.__name__ for action in ACTIONS)
