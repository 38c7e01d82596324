"""Generates files from the chart's sources: its README, part of its schema, the manifest for kubectl.

PYTHONPATH=operator:. python scripts/chart_docs.py            writes them
PYTHONPATH=operator:. python scripts/chart_docs.py --check    writes nothing; exits 1 and names what is stale

- crds/…: the rules that end with `# generated: …`, from the list of refused names and paths;
- charts/…/files/secureredis.io_….yaml: the same file, since a chart is packed without what is outside its directory;
- charts/…/files/refused.yaml: the same patterns, for the admission policies;
- charts/…/README.md: every value with its default and the comment above it in values.yaml;
- charts/…/values.schema.json: `definitions.config.*`, from the operator's own model of its configuration, and
  `patternProperties`, from charts/…/files/foreign.yaml;
- examples/install/install.yaml: the chart with its defaults, for those who install with kubectl. It is there because it
  is a manifest that works as it is; crds/ holds definitions only, and a chart must not contain what it renders;
- sandbox/chart/rendered.yaml: the chart with the values of the sandbox, so that its first start builds no Helm.
"""

import argparse
import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from sandbox.chart.install import RENDERED, rendered
from sandbox.chart.render import CHART, RELEASE_NAMESPACE, ROOT, render
from secure_redis.api.refused_names import ENV_PARTS, ENV_PATTERN, METADATA_PATTERN, MOUNT_PATTERN
from secure_redis.cli.config import Config

README = CHART / "README.md"
SCHEMA = CHART / "values.schema.json"
INSTALL = ROOT / "examples/install/install.yaml"
CRD = ROOT / "crds/secureredis.io_securerediscaches.yaml"
CRD_COPY = CHART / "files" / CRD.name
REFUSED = CHART / "files/refused.yaml"
FOREIGN = CHART / "files/foreign.yaml"
_PATTERNS = {"env": ENV_PATTERN, "mount": MOUNT_PATTERN, "metadata": METADATA_PATTERN}
_RULES = {"env.1": ENV_PARTS[0], "env.2": ENV_PARTS[1], "mount": MOUNT_PATTERN, "metadata": METADATA_PATTERN}
_PREFIX = "config."
_MARK = "# -- "
_SECTION = "# @section "
_FLOOR = "secureredis.io/kubernetes"
# Shown to a reader instead of a regular expression of the operator's model.
_SENTENCES = {
    r"^https://[^/?#@]+$": "a URL such as https://management.cloud.example, with nothing behind the host",
    r"^https://[^/?#@]+/?$": "the URL of a vault, such as https://shop.vault.azure.net",
    r"(?i)^/subscriptions/[^/]+(/.*)?$": "a scope in Azure: /subscriptions/<id>, a group or a resource below it",
    r"^[A-Z*?\[][A-Z0-9*?\[\]!-]*$": "the id of a rule such as R1, or a pattern such as O*",
}
_HEADER = """\
# Installs secure-redis-operator with its defaults:
#
#   kubectl apply --server-side -f examples/install/install.yaml
#
# Build an image first, because there is no published one, and replace the image by it. Then let namespaces consent with
# examples/namespace-consent.yaml. To upgrade, apply a newer file. To remove the operator, first delete the resources,
# because some have a finalizer that requires the operator. Then run `kubectl delete -f`, which also deletes the CRD.
#
# Generated from charts/secure-redis-operator by `make chart-docs`: do not edit.
"""


def texts() -> Iterator[tuple[Path, str]]:
    """Return every generated file with its text, the schema before the files rendered with it.

    Raises ToolchainError without Helm, Refused if the chart does not render.
    """
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    for path in (CRD, CRD_COPY):
        yield path, crd(CRD.read_text(encoding="utf-8"))
    yield REFUSED, refused()
    yield README, readme(chart, (CHART / "values.yaml").read_text(encoding="utf-8"))
    yield SCHEMA, schema(json.loads(SCHEMA.read_text(encoding="utf-8")))
    yield INSTALL, manifest(render(name=chart["name"]))
    yield RENDERED, rendered()


def stale() -> list[Path]:
    """Return the files that are missing or out of date."""
    return [path for path, text in texts() if _read(path) != text]


def write() -> list[Path]:
    """Update the files. Returns the changed ones."""
    changed = []
    for path, text in texts():
        if _read(path) != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            changed.append(path)
    return changed


def _read(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


# --- refused names --------------------------------------------------------------------------------------------------


def crd(current: str) -> str:
    """Return the CRD with the patterns of its generated rules written again."""

    def rule(found: re.Match[str]) -> str:
        return f"{found['before']}matches('{_RULES[found['which']]}'){found['after']} # generated: {found['which']}"

    return re.sub(r"(?P<before>- rule: .*)matches\('.*'\)(?P<after>[)]?\") # generated: (?P<which>\S+)", rule, current)


def refused() -> str:
    """Return the patterns of refused names as the chart's policies read them."""
    lines = ["# Generated from operator/secure_redis/api/refused_names.py by `make chart-docs`: do not edit."]
    return "\n".join([*lines, *(f"{name}: {json.dumps(text)}" for name, text in _PATTERNS.items())]) + "\n"


# --- README ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Value:
    """One value: its path, its comment (or empty), its default as text, and its section."""

    path: str
    text: str
    default: str
    section: str


def documented(text: str) -> Iterator[Value]:
    """Return the values of a values.yaml in order: every leaf, and every mapping with its own comment."""
    lines = text.splitlines()
    root = yaml.compose(text)
    if not isinstance(root, yaml.MappingNode):
        raise TypeError("values.yaml contains no mapping")
    yield from _walk(root, "", lines)


def _walk(node: yaml.MappingNode, above: str, lines: list[str]) -> Iterator[Value]:
    for key, value in node.value:
        path = f"{above}{key.value}"
        comment = _comment(lines, key.start_mark.line)
        if isinstance(value, yaml.MappingNode) and value.value and not comment:
            yield from _walk(value, f"{path}.", lines)
        else:
            default = json.dumps(yaml.safe_load(yaml.serialize(value)), ensure_ascii=False)
            yield Value(path, comment, default, _section(lines, key.start_mark.line))


def _comment(lines: list[str], line: int) -> str:
    found: list[str] = []
    for above in reversed(lines[:line]):
        stripped = above.strip()
        if not stripped.startswith("#") or stripped.startswith(_SECTION):
            break
        found.insert(0, stripped.removeprefix(_MARK).removeprefix("# "))
        if stripped.startswith(_MARK):
            return " ".join(found)
    return ""


def _section(lines: list[str], line: int) -> str:
    return next(
        (above.removeprefix(_SECTION) for above in reversed(lines[:line]) if above.startswith(_SECTION)), "Values"
    )


def readme(chart: Mapping[str, Any], values: str) -> str:
    """Return the chart's README."""
    found = list(documented(values))
    lines = [
        "<!-- Generated from values.yaml and Chart.yaml by `make chart-docs`: change these. -->",
        "",
        f"# {chart['name']} {chart['version']}",
        "",
        f"{chart['description']}.",
        "",
        f"Helm 3.18 or newer, or 4; Kubernetes {chart['annotations'][_FLOOR].removesuffix('-0')}.",
        "",
        "```sh",
        "IMAGE=registry.example.com/secure-redis-operator TAG=0.1.0   # where you pushed it",
        f"helm install {chart['name']} charts/{chart['name']} --namespace {RELEASE_NAMESPACE} --create-namespace \\",
        '  --set image.repository="$IMAGE" --set image.tag="$TAG" --set \'namespaces={shop}\' --wait',
        "```",
        "",
        "Helm refuses wrong values before it installs anything, with a sentence that says what to write. That includes",
        "names of other charts, such as `replicas` or `installCRDs`. An upgrade keeps resources and Secrets. So does",
        "an uninstallation, with the CRD (`crds.keep`). If you do not use Helm, apply",
        "[`examples/install/install.yaml`](../../examples/install/install.yaml).",
    ]
    for section in dict.fromkeys(value.section for value in found):
        lines += ["", f"## {section}", "", "| value | default | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| `{one.path}` | `{_cell(one.default)}` | {_cell(one.text)} |" for one in found if one.section == section
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


# --- schema ---------------------------------------------------------------------------------------------------------


def schema(current: dict[str, Any]) -> str:
    """Return the schema with its definitions generated again."""
    model = Config.model_json_schema(by_alias=True)
    parts = {**model.pop("$defs"), "Config": model}
    kept = {name: part for name, part in current["definitions"].items() if not name.startswith(_PREFIX)}
    made = {f"{_PREFIX}{name}": _plain(part) for name, part in sorted(parts.items())}
    result = {**_without_foreign(current), "definitions": {**_without_foreign(kept), **made}}
    _let_foreign_pass(result, yaml.safe_load(FOREIGN.read_text(encoding="utf-8")))
    return json.dumps(result, indent=2, ensure_ascii=False) + "\n"


def _without_foreign(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_foreign(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {name: _without_foreign(value) for name, value in part.items() if name != "patternProperties"}


def _let_foreign_pass(root: dict[str, Any], paths: Iterable[str]) -> None:
    """Add the names to the parts of the schema that would refuse them without a way out."""
    for path in paths:
        *above, name = path.split(".")
        part = root
        for step in above:
            part = _definition(root, part["properties"][step])
        if part.get("additionalProperties") is not False:
            continue
        (pattern,) = part.pop("patternProperties", {"^()$": None})
        names = dict.fromkeys([*filter(None, pattern[2:-2].split("|")), name])
        part["patternProperties"] = {f"^({'|'.join(names)})$": {"$comment": FOREIGN.relative_to(CHART).as_posix()}}


def _definition(root: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return the part that has the properties, behind references."""
    part = part.get("allOf", [part])[0]
    reference = part.get("$ref", "").removeprefix("#/definitions/")
    return root["definitions"][reference] if reference else part


def _plain(part: Any) -> Any:
    """Return a part of the model's schema without details that are useless in an error."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    choices = [one for one in part.get("anyOf", ()) if one != {"type": "null"}]
    if len(choices) == 1:  # Helm takes a null for "not set" before anyone reads it
        return _plain({**{name: value for name, value in part.items() if name != "anyOf"}, **choices[0]})
    found: dict[str, Any] = {}
    for name, value in part.items():
        if name == "properties":
            found[name] = {key: _plain(one) for key, one in value.items()}
        elif name == "$ref":
            found[name] = value.replace("#/$defs/", f"#/definitions/{_PREFIX}")
        elif name == "pattern":
            found |= {"if": {"pattern": value}, "else": {"const": _SENTENCES[value]}}
        elif name not in ("title", "default", "description"):
            found[name] = _plain(value)
    return found


# --- the manifest for kubectl -----------------------------------------------------------------------------------------


def manifest(documents: list[dict[str, Any]]) -> str:
    """Return the rendered chart without Helm's own fields, in a namespace that restricts its pods."""
    restricted = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn", "audit")}
    space = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": RELEASE_NAMESPACE, "labels": restricted}}
    parts = [space, *(_without_helm(document) for document in documents)]
    return _HEADER + "---\n" + "---\n".join(yaml.safe_dump(one, sort_keys=False, width=100_000) for one in parts)


def _without_helm(part: Any) -> Any:
    if isinstance(part, list):
        return [_without_helm(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {name: _without_helm(value) for name, value in part.items() if not re.match(r"helm\.sh/", name)}
    if found.get("app.kubernetes.io/managed-by") == "Helm":
        del found["app.kubernetes.io/managed-by"]
    return {name: value for name, value in found.items() if name not in ("labels", "annotations") or value}


def main() -> int:
    """Write the files, or check them."""
    parser = argparse.ArgumentParser(description="Generate the chart's README, schema and manifest.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is stale")
    given = parser.parse_args()
    changed = stale() if given.check else write()
    for path in changed:
        print(f"{'stale' if given.check else 'wrote'}: {path.relative_to(ROOT)}")  # noqa: T201
    return 1 if given.check and changed else 0


if __name__ == "__main__":
    sys.exit(main())
