"""The examples' objects of Argo CD and Flux are accepted by an API server that serves these kinds, strictly."""

from collections.abc import Iterator
from functools import partial

import pytest
import yaml

from sandbox.api import Api, Document
from sandbox.controlplane import ControlPlane
from sandbox.gitops_definitions import gitops_definitions
from sandbox.waiting import PATIENCE, wait_for
from tests.integration.crd.test_corpus import EXAMPLES

pytestmark = pytest.mark.slow  # the definitions are fetched by `make test-all` only

GROUPS = ("argoproj.io", "toolkit.fluxcd.io")
OBJECTS: list[Document] = [
    document
    for path in sorted(EXAMPLES.rglob("*.yaml"))
    if "resource_customizations" not in path.parts
    for document in yaml.safe_load_all(path.read_text())
    if document and any(group in document["apiVersion"] for group in GROUPS)
]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    with ControlPlane(tmp_path_factory.mktemp("gitops-plane"), controllers=False, scheduler=False) as plane:
        served = Api(plane.cluster)
        for file in gitops_definitions():
            definition = yaml.safe_load(file.read_text())
            served.create(definition).must()
            wait_for(partial(_is_served, served, definition), PATIENCE, f"{file.name} to be served")
        yield served


def _is_served(api: Api, definition: Document) -> bool:
    spec = definition["spec"]
    versions = [version["name"] for version in spec["versions"] if version["served"]]
    return all(api.get(f"/apis/{spec['group']}/{name}/{spec['names']['plural']}").ok for name in versions)


@pytest.mark.parametrize("document", OBJECTS, ids=lambda one: f"{one['kind']}-{one['metadata']['name']}")
def test_an_object_of_another_tool_fits_its_schema(api: Api, document: Document) -> None:
    document["metadata"]["namespace"] = "default"
    answer = api.create(document, dry_run=True)
    assert answer.status == 201, answer.message


def test_a_field_that_the_tool_does_not_know_is_refused(api: Api) -> None:
    document = OBJECTS[0]
    answer = api.create({**document, "spec": {**document["spec"], "nosuchfield": 1}}, dry_run=True)
    assert answer.status in {400, 422}
