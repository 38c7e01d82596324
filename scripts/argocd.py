"""Writes examples/argocd/argocd-cm*.yaml from the Lua scripts in the same folder, so that they cannot differ.

python scripts/argocd.py    writes the patches of Argo CD's ConfigMap `argocd-cm`
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
KIT = ROOT / "examples" / "argocd"
SCRIPTS = KIT / "resource_customizations" / "secureredis.io" / "SecureRedisCache"
ACTIONS = ("refresh", "rotate", "approve-rotation", "pause", "resume")
KIND = "secureredis.io_SecureRedisCache"
LENIENT, STRICT = "local concernsDegrade = false", "local concernsDegrade = true"
HEAD = """# Generated from {folder} by scripts/argocd.py (`make docs`). Merge it into Argo CD's own ConfigMap:
#
#   kubectl -n argocd patch configmap argocd-cm --patch-file {name}
#
{note}"""
NOTES = {
    "argocd-cm.yaml": "# The health's message reports findings and drift, and the resource stays Healthy.\n",
    "argocd-cm-strict.yaml": "# In this variant, findings, drift and unsafe persistence make the resource Degraded,\n"
    "# and so the Application. A sync of an unsafe cache then fails, and Argo CD does not apply later waves.\n",
}


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as blocks."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def health(*, strict: bool) -> str:
    """Return the health script. `strict`: an unsafe cache makes the resource Degraded.

    Raises:
        ValueError: the script no longer has the line that the variant changes.

    """
    script = (SCRIPTS / "health.lua").read_text(encoding="utf-8")
    if script.count(LENIENT) != 1:
        raise ValueError(f"health.lua must have the line {LENIENT!r} once")
    return script.replace(LENIENT, STRICT) if strict else script


def actions() -> dict[str, Any]:
    """Return the actions in the form of `resource.customizations.actions.<group>_<kind>`."""
    folder = SCRIPTS / "actions"
    return {
        "discovery.lua": (folder / "discovery.lua").read_text(encoding="utf-8"),
        "definitions": [
            {"name": name, "action.lua": (folder / name / "action.lua").read_text(encoding="utf-8")} for name in ACTIONS
        ],
    }


def patches() -> Mapping[str, str]:
    """Return the file names in examples/argocd with their texts."""
    found: dict[str, str] = {}
    for name, note in NOTES.items():
        data = {
            f"resource.customizations.health.{KIND}": health(strict="strict" in name),
            f"resource.customizations.actions.{KIND}": yaml.dump(actions(), Dumper=_Dumper, sort_keys=False),
        }
        document = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "argocd-cm", "namespace": "argocd"},
            "data": data,
        }
        head = HEAD.format(folder=SCRIPTS.relative_to(ROOT), name=name, note=note)
        found[name] = head + yaml.dump(document, Dumper=_Dumper, sort_keys=False)
    return found


if __name__ == "__main__":
    for name, text in patches().items():
        (KIT / name).write_text(text, encoding="utf-8")
