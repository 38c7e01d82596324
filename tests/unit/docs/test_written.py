"""Written pages: links lead somewhere, and every example of our kind is one that the schema takes."""

import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
import yaml
from markdown_it import MarkdownIt
from markdown_it.token import Token

from secure_redis.api import names
from secure_redis.api.reasons.catalogue import REASONS
from secure_redis.api.reasons.reason import Reason

ROOT = Path(__file__).parents[3]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
CRD: dict[str, Any] = yaml.safe_load((ROOT / "crds/secureredis.io_securerediscaches.yaml").read_text())
SCHEMA: dict[str, Any] = CRD["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
CHART = ROOT / "charts/secure-redis-operator"
MARKDOWN = MarkdownIt("commonmark").enable("table")


def tokens(page: Path) -> Iterator[Token]:
    for token in MARKDOWN.parse(page.read_text(encoding="utf-8")):
        yield token
        yield from token.children or ()


def headings(page: Path) -> set[str]:
    """Anchors of a page as GitHub and GitLab make them."""
    parsed = MARKDOWN.parse(page.read_text(encoding="utf-8"))
    texts = (after.content for before, after in itertools.pairwise(parsed) if before.type == "heading_open")
    return {re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", "-") for text in texts}


def strict(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema as `fieldValidation: Strict` takes it: a field that it does not know is an error."""
    copy: dict[str, Any] = {
        key: [strict(part) if isinstance(part, dict) else part for part in value]
        if isinstance(value, list)
        else strict(value)
        if isinstance(value, dict)
        else value
        for key, value in schema.items()
    }
    if isinstance(copy.get("properties"), dict) and copy.get("type") == "object":
        copy["additionalProperties"] = False
    return copy


SPEC = strict(SCHEMA["properties"]["spec"])


def objects(page: Path) -> Iterator[dict[str, Any]]:
    """Objects of our kind in the YAML blocks of a page."""
    for token in tokens(page):
        if token.type == "fence" and token.info.strip() in {"yaml", "yml"}:
            for document in yaml.safe_load_all(token.content):
                if isinstance(document, dict) and document.get("kind") == names.KIND:
                    yield document


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_relative_links_lead_somewhere(page: Path) -> None:
    broken = []
    for token in tokens(page):
        target = token.attrGet("href") if token.type == "link_open" else None
        if not isinstance(target, str) or urlsplit(target).scheme:
            continue
        parts = urlsplit(target)
        there = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        found = there.exists() and there.is_relative_to(ROOT)
        if found and parts.fragment and there.suffix == ".md":
            found = parts.fragment in headings(there)
        if not found:
            broken.append(target)
    assert broken == []


def test_no_page_is_orphaned() -> None:
    """A reader on a Git host, where no navigation is, finds each page by links from the first one."""
    first = ROOT / "docs/README.md"
    reached, open_pages = {first}, [first]
    while open_pages:
        page = open_pages.pop()
        for token in tokens(page):
            parts = urlsplit(str(token.attrGet("href") or "") if token.type == "link_open" else "")
            there = (page.parent / unquote(parts.path)).resolve()
            if not parts.scheme and there.suffix == ".md" and there not in reached and there.exists():
                reached.add(there)
                open_pages.append(there)
    assert [str(page.relative_to(ROOT)) for page in (ROOT / "docs").rglob("*.md") if page not in reached] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_examples_of_our_kind_fit_the_schema(page: Path) -> None:
    for document in objects(page):
        assert document["apiVersion"] == names.API_VERSION
        jsonschema.Draft202012Validator(SPEC).validate(document["spec"])


def test_the_check_of_examples_can_fail() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(SPEC).validate({"resourceID": "x", "network": {"publicAcess": "Enabled"}})


def test_there_are_examples_to_check() -> None:
    assert sum(1 for page in PAGES for _ in objects(page)) >= 4


def test_troubleshooting_leads_to_every_reason_that_requires_an_action() -> None:
    asks = {str(reason) for reason, text in REASONS.items() if not text.remedy.startswith(("There is nothing", "Wait"))}
    targets = (token.attrGet("href") for token in tokens(ROOT / "docs/troubleshooting.md") if token.type == "link_open")
    linked = {Path(str(target)).stem for target in targets if str(target).startswith("reasons/")}
    assert asks - linked == {Reason.UNKNOWN, Reason.NOT_READY}  # its message is all that there is to say


def test_every_alert_has_a_runbook() -> None:
    """Where the chart has alerts, their `runbook_url` ends in `#<alert in lower case>`."""
    alerts = ROOT / "charts/secure-redis-operator/files/alerts.yaml"
    groups = yaml.safe_load(alerts.read_text())["groups"] if alerts.exists() else []
    named = {rule["alert"].lower() for group in groups for rule in group["rules"]}
    assert named - headings(ROOT / "docs/runbooks.md") == set()


def commands() -> Iterator[tuple[Path, str]]:
    """Every shell block of the pages, and the chart's notes, whose commands are indented."""
    for page in [*PAGES, CHART / "README.md"]:
        for token in tokens(page):
            if token.type == "fence" and token.info.strip() in {"sh", "bash", "shell", "console"}:
                yield page, token.content
    notes = CHART / "templates/NOTES.txt"
    yield notes, "\n".join(line for line in notes.read_text().splitlines() if line.startswith("  "))


def test_no_command_has_a_placeholder_that_a_shell_takes_for_a_redirection() -> None:
    """`<your image>` reads a file named `your`. Commands use shell variables, which the reader sets once."""
    found = [
        f"{page.relative_to(ROOT)}: {line}"
        for page, text in commands()
        for line in text.splitlines()
        for placeholder in re.findall(r"<[A-Za-z][^<>\n]*>", line)
        if placeholder != "<none>"  # kubectl prints it
    ]
    assert found == []


def test_there_are_commands_to_check() -> None:
    assert {page.name for page, _ in commands()} >= {"README.md", "identity.md", "runbooks.md", "NOTES.txt"}


@pytest.mark.parametrize("file", ["examples/argocd/application.yaml", "examples/flux/secure-redis.yaml"])
def test_gitops_examples_name_the_image(file: str) -> None:
    """No image is published: with the chart's default the pods cannot start."""
    documents = list(yaml.safe_load_all((ROOT / file).read_text()))
    values = [
        one["spec"]["source"]["helm"]["valuesObject"] for one in documents if "helm" in str(one["spec"].get("source"))
    ]
    values += [one["spec"]["values"] for one in documents if one["kind"] == "HelmRelease"]
    assert values
    for given in values:
        assert given["image"]["repository"].startswith("registry.example.com/")
        assert given["image"]["tag"]
