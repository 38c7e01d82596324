"""The documented steps on which it depends who owns a cache and who rotates its keys, run as they are written."""

from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sandbox.azure.control.client import Control
from sandbox.azure.seeds import seeds
from sandbox.azure_cli import AzureCli, AzureCliError
from secure_redis.api.names import LEADER_TAG, OWNER_TAG
from secure_redis.domain.assess.ownership import leader_value
from tests.builders.world import resource
from tests.contract.conftest import CLIENT, GROUP, SECRET, SUBSCRIPTION, TENANT, cache_seed

pytestmark = [pytest.mark.timeout(900), pytest.mark.slow]

DOCS = Path(__file__).parents[2] / "docs"
CLUSTER = "11111111-2222-3333-4444-555555555555"


def block(page: str, words: str) -> str:
    """Return the shell block of a page that contains the words, for the cache of the test."""
    found = [
        token.content
        for token in MarkdownIt().parse((DOCS / page).read_text(encoding="utf-8"))
        if token.type == "fence" and token.info.strip() == "sh" and words in token.content
    ]
    assert len(found) == 1
    return found[0].replace("<subscription>", SUBSCRIPTION)


def _tags(control: Control) -> object:
    shown = control.redis.get("orders")
    assert shown is not None
    return shown["tags"]


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A directory with a kubectl that knows one thing: the uid of kube-system."""
    directory = tmp_path / "bin"
    directory.mkdir()
    kubectl = directory / "kubectl"
    kubectl.write_text(f"#!/bin/sh\necho {CLUSTER}\n")
    kubectl.chmod(0o755)
    return directory


@pytest.fixture
def az(control: Control, tmp_path: Path) -> AzureCli:
    az = AzureCli(tmp_path / "az", control.endpoints)
    az.login(TENANT, CLIENT, SECRET)
    return az


def test_the_leader_tag_and_a_take_over(control: Control, az: AzureCli, programs: Path) -> None:
    control.seed(cache_seed(tags={"team": "shop", OWNER_TAG: "another/owner"}))

    az.script(block("rotation.md", LEADER_TAG), programs)
    leader = leader_value(CLUSTER, resource(namespace="shop", name="orders"))
    assert _tags(control) == {"team": "shop", OWNER_TAG: "another/owner", LEADER_TAG: leader}

    az.script(block("backup.md", OWNER_TAG), programs)
    assert _tags(control) == {"team": "shop", LEADER_TAG: leader}


def test_who_may_tag_and_when(control: Control, az: AzureCli) -> None:
    control.seed(cache_seed(tags={"Team": "shop"}))
    scope = seeds.cache_scope(SUBSCRIPTION, GROUP, "orders")
    tag = ("tag", "update", "--resource-id", scope, "--operation")
    assert az.run(*tag, "Merge", "--tags", "team=books")["properties"]["tags"] == {"team": "books"}
    assert az.run(*tag, "Delete", "--tags", "team=other")["properties"]["tags"] == {"team": "books"}
    assert az.run(*tag, "Replace", "--tags", "a=1")["properties"]["tags"] == {"a": "1"}
    assert az.run("tag", "list", "--resource-id", scope)["properties"]["tags"] == {"a": "1"}
    control.seed(seeds.Lock(scope=scope, name="keep", level="ReadOnly"))
    with pytest.raises(AzureCliError, match="ScopeLocked"):
        az.run(*tag, "Merge", "--tags", "a=2")
