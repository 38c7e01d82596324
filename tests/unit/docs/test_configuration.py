"""docs/reference/configuration.md describes every key of the model, and its example loads."""

from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import pytest
import yaml
from pydantic import BaseModel

from scripts.reference import configuration
from secure_redis.cli.config import Config
from secure_redis.cli.config_base import Part


def models(annotation: Any) -> list[type[BaseModel]]:
    """The parts that a field's type is made of."""
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple):
        return [model for inner in get_args(annotation) for model in models(inner)]
    return [annotation] if isinstance(annotation, type) and issubclass(annotation, BaseModel) else []


def known(model: type[BaseModel], at: str = "") -> set[str]:
    """Every key that a model has, as a path."""
    found = set()
    for field in model.model_fields.values():
        path = f"{at}{field.alias}"
        inner = [key for part in models(field.annotation) for key in known(part, f"{path}.")]
        found |= {path, *inner}
    return found


def test_every_key_has_an_entry() -> None:
    wanted = {key for key in known(Config) if not key.startswith("caps.")}  # caps have the form of grants
    assert {key.path.replace("[]", "") for key in configuration.described()} == wanted


def test_an_entry_has_the_default_of_the_model() -> None:
    entries = {key.path: key for key in configuration.described()}
    assert entries["leaderElection.leaseDurationSeconds"].default == 15
    assert entries["leaderElection.namespace"].default is None
    assert entries["brakes.massDrift.share"].default == 0.05
    assert entries["grants[].vaults[].secretNames"].default == ["*"]
    assert entries["compliance.minimumProfile"].default == "Baseline"
    assert entries["grants[].powers"].required
    assert not entries["grants"].required


def test_the_example_loads() -> None:
    config = Config.model_validate(yaml.safe_load(configuration.EXAMPLE))
    assert config.grants
    assert config.waiver_policy().waivable


class Undescribed(Part):
    first: int = 1
    """The first."""
    second: int = 2


def test_a_field_without_a_text_is_refused() -> None:
    with pytest.raises(LookupError, match=r"Undescribed\.second has no text"):
        list(configuration.described(Undescribed))


def test_keys_and_their_values_are_those_of_the_model() -> None:
    """A key that no longer exists would name a value for nothing."""
    paths = {key.path for key in configuration.described()}
    assert {*configuration.OTHER_VALUES, *configuration.SAME_VALUES, *configuration.FIXED} <= paths
