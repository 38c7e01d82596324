"""The corpus on the real API server: what it accepts, what it refuses, and in which words."""

from pathlib import Path

import pytest
import yaml

from sandbox.api import Api, Document
from secure_redis.api.azure_ids import CacheID, InvalidResourceID
from secure_redis.api.resource import SecureRedisCache, parse

CORPUS = Path(__file__).parent
EXAMPLES = Path(__file__).parents[3] / "examples"


def objects(folder: str) -> list[Path]:
    return sorted((CORPUS / folder).glob("*.yaml"))


def load(path: Path) -> Document:
    document: Document = yaml.safe_load(path.read_text())
    document["metadata"].setdefault("namespace", "default")
    return document


def accepts(api: Api, path: Path) -> None:
    answer = api.create(load(path), dry_run=True)
    assert answer.status == 201, answer.message
    stored = answer.must()
    stored["metadata"].setdefault("resourceVersion", "1")  # a dry run gives none
    assert isinstance(parse(stored), SecureRedisCache), "the code refuses what the schema accepts"


def refuses(api: Api, path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# expected: ")
    answer = api.create(load(path), dry_run=True)
    assert answer.status in {400, 422}, "it was accepted" if answer.ok else answer.message
    assert expected in answer.message


@pytest.mark.parametrize("path", objects("accepted"), ids=lambda path: path.stem)
def test_accepted(api: Api, path: Path) -> None:
    accepts(api, path)


@pytest.mark.parametrize("path", objects("rejected"), ids=lambda path: path.stem)
def test_rejected(api: Api, path: Path) -> None:
    refuses(api, path)


@pytest.mark.parametrize("path", sorted((CORPUS / "rejected").glob("resource-id-*.yaml")), ids=lambda path: path.stem)
def test_the_code_refuses_the_same_resource_ids(path: Path) -> None:
    with pytest.raises(InvalidResourceID):
        CacheID.parse(load(path)["spec"].get("resourceID", ""))


@pytest.mark.parametrize("path", objects("accepted"), ids=lambda path: path.stem)
@pytest.mark.floor
def test_accepted_by_the_floor(floor_api: Api, path: Path) -> None:
    accepts(floor_api, path)


@pytest.mark.parametrize("path", objects("rejected"), ids=lambda path: path.stem)
@pytest.mark.floor
def test_rejected_by_the_floor(floor_api: Api, path: Path) -> None:
    refuses(floor_api, path)


@pytest.mark.parametrize(
    "path",
    sorted(path for path in EXAMPLES.rglob("*.yaml") if "resource_customizations" not in path.parts),
    ids=lambda path: path.stem,
)
def test_examples_are_accepted(api: Api, path: Path) -> None:
    documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    assert documents
    for document in documents:
        if any(group in document["apiVersion"] for group in ("argoproj.io", "toolkit.fluxcd.io")):
            continue  # kinds that this API server does not serve
        if document["kind"] == "CustomResourceDefinition":
            continue  # it is there, or nothing else here would be accepted
        if "namespace" in document["metadata"]:
            document["metadata"]["namespace"] = (
                "default"  # a dry run of one object does not see the namespace made by another
            )
        answer = api.create(document, dry_run=True)
        assert answer.status == 201, answer.message
