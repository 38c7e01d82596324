"""Generates the page that lists refused names and paths, from the list that the CRD, the policies and the code use."""

from collections.abc import Iterable

from secure_redis.api.refused_names import ENV, METADATA_DOMAINS, MOUNT_POINTS, MOUNT_TREES, Refused

_SECTIONS: tuple[tuple[str, str, tuple[Refused, ...]], ...] = (
    (
        "Environment variables",
        "No entry of `spec.workloads[].env` may have one of these names. A longer name is accepted.",
        ENV,
    ),
    (
        "Mounts at or below a path",
        "No `spec.workloads[].mountPath` and no path of a binding may be one of these paths or be below one.",
        MOUNT_TREES,
    ),
    ("Mounts at a path", "No `mountPath` may be exactly one of these paths. A path below is accepted.", MOUNT_POINTS),
    (
        "Labels and annotations of the Secret",
        "No name in `connection.labels` and `connection.annotations` may begin with one of these domains.",
        METADATA_DOMAINS,
    ),
)


_INTRODUCTION = """\
You need this page when the API server or the operator refuses a variable, a mount path, a label or an annotation.

An injected variable or a mounted Secret must not change which code runs in a container. No tool may copy a published
Secret elsewhere because of a label or an annotation that an author chose. Three parts enforce this list: the API server
refuses these names by the CRD, the operator leaves them out, and the admission policies refuse them to the operator's
own identity.

Each name is a regular expression that matches a whole name. A subdomain counts as its domain.""".splitlines()


def page(head: Iterable[str]) -> str:
    """Return the page below its heading."""
    lines = [
        *head,
        *_INTRODUCTION,
    ]
    for title, text, rows in _SECTIONS:
        lines += ["", f"## {title}", "", text, "", "| names | effect | source |", "| --- | --- | --- |"]
        lines += [
            f"| {'<br>'.join(f'`{_cell(name)}`' for name in row.patterns)} | {row.effect} | {row.source} |"
            for row in rows
        ]
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
