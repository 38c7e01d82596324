"""The how-to guides: values that the chart has, metrics that are exported, messages that the code contains."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from secure_redis.api.reasons.reason import ConditionType, Reason
from secure_redis.api.resource import SecureRedisCache, parse
from secure_redis.azure.core.clouds import PUBLIC
from secure_redis.domain.assess.ownership import not_leading
from secure_redis.domain.observe.redis import Redis
from secure_redis.domain.plan.cache.creation import FOREIGN
from secure_redis.telemetry.metrics import Metrics
from tests.unit.docs.test_written import CHART, ROOT, objects, tokens

HOW_TO = ROOT / "docs/how-to"
PAGES = sorted(HOW_TO.glob("*.md"))
SCHEMA = jsonschema.Draft7Validator(json.loads((CHART / "values.schema.json").read_text()))
DEFAULTS = yaml.safe_load((CHART / "values.yaml").read_text())
METRIC = re.compile(r"\b(?:secureredis|controller_runtime|rest_client|leader_election)_[a-z_]+\b")
RECIPES = re.split(r"^## ", (HOW_TO / "cookbook.md").read_text(), flags=re.MULTILINE)[1:]


def blocks(page: Path) -> Iterator[dict[str, Any]]:
    for token in tokens(page):
        if token.type == "fence" and token.info.strip() == "yaml":
            yield from yaml.safe_load_all(token.content)


def values() -> list[tuple[str, dict[str, Any]]]:
    """The blocks that are no object: values of the chart."""
    return [(page.name, block) for page in PAGES for block in blocks(page) if "kind" not in block]


def merged(defaults: Any, given: Any) -> Any:
    """Return the values that Helm validates: the chart's values with those that are given."""
    if not isinstance(defaults, dict) or not isinstance(given, dict):
        return given
    return {**defaults, **{name: merged(defaults.get(name), value) for name, value in given.items()}}


def test_there_are_values_to_check() -> None:
    assert {page for page, _ in values()} >= {"monitoring.md", "network.md"}


@pytest.mark.parametrize(("page", "given"), values())
def test_values_are_those_of_the_chart(page: str, given: dict[str, Any]) -> None:
    SCHEMA.validate(merged(DEFAULTS, given))


def test_the_check_of_values_can_fail() -> None:
    with pytest.raises(jsonschema.ValidationError):
        SCHEMA.validate(merged(DEFAULTS, {"podMonitor": {"enable": True}}))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_metrics_are_exported(page: Path) -> None:
    families = Metrics().registry.collect()
    exported = {f"{one.name}_total" if one.type == "counter" else one.name for one in families}
    assert set(METRIC.findall(page.read_text())) <= exported


def test_the_pod_monitor_finds_the_pods_of_the_chart() -> None:
    (monitor,) = [block for block in blocks(HOW_TO / "monitoring.md") if block.get("kind") == "PodMonitor"]
    documents = yaml.safe_load_all((ROOT / "examples/install/install.yaml").read_text())
    (deployment,) = [one for one in documents if one and one["kind"] == "Deployment"]
    template = deployment["spec"]["template"]
    assert monitor["metadata"]["namespace"] == deployment["metadata"]["namespace"]
    assert monitor["spec"]["selector"]["matchLabels"].items() <= template["metadata"]["labels"].items()
    (container,) = template["spec"]["containers"]
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["port"] in {port["name"] for port in container["ports"]}
    assert endpoint["honorLabels"] is True  # as in the chart's own monitors


def first_column(page: Path, heading: str) -> str:
    section = page.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return "\n".join(line.split("|")[1] for line in section.splitlines() if line.startswith("| "))


def test_the_network_page_quotes_what_the_operator_reports() -> None:
    sources = "\n".join(path.read_text() for path in (ROOT / "operator/secure_redis").rglob("*.py"))
    cell = first_column(HOW_TO / "network.md", "Find the cause")
    quoted = set(re.findall(r"`([^`]+)`", cell)) - {str(one) for one in (*Reason, *ConditionType)}
    quoted = {one for one in quoted if not one.startswith("status.")}
    assert len(quoted) >= 6
    assert {one for one in quoted if one not in sources} == set()


def test_the_network_page_names_the_hosts_of_the_cloud() -> None:
    text = (HOW_TO / "network.md").read_text()
    for address in (PUBLIC.resource_manager, PUBLIC.authority):
        assert f"`{address.removeprefix('https://')}`" in text
    for host, suffixes in {
        "$VAULT": PUBLIC.vault_suffixes,
        "$CACHE": PUBLIC.redis_suffixes,
        "$CACHE.$LOCATION": PUBLIC.managed_redis_suffixes,
    }.items():
        (suffix,) = (one for one in suffixes if f"`{host}.{one}`" in text)
        assert suffix == suffixes[0]


def test_the_captured_messages_are_still_those_of_the_operator() -> None:
    text = (HOW_TO / "several-clusters.md").read_text()
    assert f"OwnedByAnother: {FOREIGN}\n" in text
    (document,) = objects(HOW_TO / "several-clusters.md")
    metadata = {**document["metadata"], "name": "second", "uid": "1", "resourceVersion": "1"}
    resource = parse({**document, "metadata": metadata})
    assert isinstance(resource, SecureRedisCache)
    before, after = not_leading("CLUSTER", resource).message.split("CLUSTER/")
    assert re.search(f"NotLeading: {re.escape(before)}[0-9a-f-]{{36}}/{re.escape(after)}\n", text)
    assert f"can reach the cache; {Redis.PRIVATE_LINK}\n" in (HOW_TO / "network.md").read_text()


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: str(recipe).splitlines()[0])
def test_a_recipe_has_one_object_and_states_what_it_causes(recipe: str) -> None:
    if recipe.startswith(("What you need", "Verify the result")):
        return
    assert recipe.count("```yaml\n") == 1
    assert recipe.count("\n**Causes**: ") == 1


def test_the_cookbook_has_recipes() -> None:
    assert len(list(objects(HOW_TO / "cookbook.md"))) == len(RECIPES) - 2 >= 10
