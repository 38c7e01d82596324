"""Every manifest in the docs is one that the real API server takes, its CEL rules included."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from markdown_it import MarkdownIt

from sandbox.api import Api, Document
from secure_redis.api import names
from secure_redis.api.resource import SecureRedisCache, parse

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
# Kinds of others, which no API server here serves.
FOREIGN = {
    "argoproj.io",
    "azmonitoring.coreos.com",
    "helm.toolkit.fluxcd.io",
    "kustomize.toolkit.fluxcd.io",
    "monitoring.coreos.com",
    "source.toolkit.fluxcd.io",
}
_CACHES = f"/subscriptions/{uuid.UUID(int=1)}/resourceGroups/shop/providers/Microsoft.Cache"
# The values that a page's shell would have put for its variables.
VARIABLES = {
    "CACHE": "tutorial-1",
    "CACHE_ID": f"{_CACHES}/redis/tutorial-1",
    "CLUSTER_ID": f"{_CACHES}/redisEnterprise/tutorial-1",
    "CLIENT": "00000000-0000-0000-0000-00000000c001",
    "GROUP": "shop",
    "IMAGE": "registry.example.com/secure-redis-operator",
    "NAME": "orders",
    "NAMESPACE": "default",
    "NEW": "orders-managed",
    "OLD_KEY": "redis-key",
    "REPOSITORY": "https://git.example.com/platform/secure-redis-operator.git",
    "SUBSCRIPTION": str(uuid.UUID(int=1)),
    "TAG": "0.1.0",
    "TENANT": "00000000-0000-0000-0000-00000000a001",
    "VAULT": "tutorial-2",
    "VAULT_SECRET": "orders-redis-key",
    "VAULT_URI": "https://shop.vault.azure.net",
}
_HERE = re.compile(
    r"kubectl apply -f - <<(?P<quote>'?)(?P<end>\w+)(?P=quote)\n(?P<text>.*?)^(?P=end)$", re.DOTALL | re.M
)


def manifests(text: str) -> Iterator[Document]:
    """All objects in the YAML blocks of a page, and those that its shell blocks apply."""
    for token in MarkdownIt().parse(text):
        if token.type != "fence":
            continue
        written = []
        if token.info.strip() in {"yaml", "yml"}:
            written = [token.content]
        elif token.info.strip() in {"sh", "console"}:
            for found in _HERE.finditer(token.content):
                given = found["text"]
                written.append(given if found["quote"] else re.sub(r"\$(\w+)", lambda m: VARIABLES[m[1]], given))
        for document in (one for part in written for one in yaml.safe_load_all(part)):
            if isinstance(document, dict) and {"apiVersion", "kind"} <= document.keys():
                yield document


FOUND = [
    pytest.param(document, id=f"{page.relative_to(ROOT)}-{number}-{document['kind']}")
    for page in PAGES
    for number, document in enumerate(manifests(page.read_text(encoding="utf-8")), 1)
]


@pytest.mark.parametrize("document", FOUND)
def test_it_is_accepted(api: Api, document: Document) -> None:
    assert document["metadata"]["name"]
    if document["apiVersion"].partition("/")[0] in FOREIGN:
        return
    if document["kind"] != "Namespace":
        document["metadata"]["namespace"] = "default"  # a dry run makes no namespace
    answer = api.create(document, dry_run=True)
    assert answer.status == 201, answer.message
    if document["kind"] == names.KIND:
        stored = answer.must()
        stored["metadata"].setdefault("resourceVersion", "1")  # a dry run gives none
        assert isinstance(parse(stored), SecureRedisCache), "the code refuses what the schema accepts"


def test_manifests_applied_from_a_shell_are_found_too() -> None:
    text = "```sh\nkubectl apply -f - <<END\napiVersion: v1\nkind: Secret\nmetadata: {name: $CACHE}\nEND\nls\n```\n"
    assert list(manifests(text)) == [{"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "tutorial-1"}}]
    assert len(FOUND) > 15
