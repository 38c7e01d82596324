"""The configuration example names every key, and loads."""

from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

import yaml
from markdown_it import MarkdownIt
from pydantic import BaseModel

from secure_redis.cli.config import Config

PAGE = Path(__file__).parents[3] / "docs/operations.md"


def example() -> dict[str, Any]:
    blocks = (t.content for t in MarkdownIt().parse(PAGE.read_text()) if t.type == "fence" and t.info == "yaml")
    found = [document for block in blocks if isinstance(document := yaml.safe_load(block), dict)]
    assert len(found) == 1
    return found[0]


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


def named(document: Any, at: str = "") -> set[str]:
    """Every key that a document has, as a path."""
    if isinstance(document, list):
        return {key for item in document for key in named(item, at)}
    if not isinstance(document, dict):
        return set()
    return {f"{at}{key}" for key in document} | {
        inner for key, value in document.items() for inner in named(value, f"{at}{key}.")
    }


def test_the_example_loads() -> None:
    config = Config.model_validate(example())
    assert config.grants
    assert config.endpoints().name == "Custom"


def test_the_example_names_every_key() -> None:
    wanted = {key for key in known(Config) if not key.startswith("caps.")}  # caps have the form of grants
    assert named(example()) == wanted


def test_the_example_shows_the_defaults() -> None:
    shown, defaults = Config.model_validate(example()), Config()
    for part in ("intervals", "concurrency", "health", "logging", "secrets"):
        assert getattr(shown, part) == getattr(defaults, part), part
    election = shown.leader_election.model_copy(update={"namespace": None})
    assert election == defaults.leader_election
