"""The texts outside of the pages are checked like pages: the CRD, the strings of the programs, comments, the chart."""

from pathlib import Path

import pytest

from scripts import prose, prose_texts

CODE = '''"""Nobody reads it."""

# A comment that
# was told.

X = "one restart"
LOG = f"the operator {X} heals {X} at once"
PATTERN = r"somebody \\d"
NAME = "nobody"


def pass_() -> str:
    """A pass; a pass; a pass."""
    return (
        "a second line; of one text; "
        "with semicolons"
    )
'''
CRD = """\
spec:
  description: Somebody accepts it.
  x-kubernetes-validations:
    - rule: self.nobody
      message: what is told
      messageExpression: 'self.x ? "it is mended" : "a"'
"""
FILES = {
    "operator/a.py": CODE,
    "crds/b.yaml": CRD,
    "sandbox/c.py": 'X = "it heals; it waits; it ends"\n',
    "sandbox/azure/d.py": 'X = "Azure told it"\n',
    "scripts/e.py": 'X = "it heals"\n',
    "charts/f/values.yaml": "# -- Whoever reads it.\nx: $ours is a name\n",
    "charts/f/files/secureredis.io_securerediscaches.yaml": "# nobody reads it\n",
    "examples/g.yaml": "x: |\n  it heals\n",
    "Makefile": "x: ## Tell the story\n",
    "tests/h.py": '"""What is kept stays."""\n\nX = 1  # somebody\nY = "somebody heals it"\n',
}
WORD = {
    "operator/a.py:1": "Nobody",
    "operator/a.py:3": "told",
    "operator/a.py:7": "heals",
    "crds/b.yaml.spec: description": "Somebody",
    "crds/b.yaml.spec: message": "told",
    "crds/b.yaml.spec: messageExpression": "mended",
    "sandbox/c.py:1": "heals",
    "scripts/e.py:1": "heals",
    "charts/f/values.yaml:1": "Whoever",
    "examples/g.yaml:2": "heals",
    "Makefile:1": "Tell",
    "tests/h.py:3": "somebody",
}


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository without pages, with a finding in each kind of text."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    (tmp_path / "README.md").write_text("# Title\n", encoding="utf-8")
    (tmp_path / "scripts/vale").symlink_to(prose.ROOT / "scripts/vale")
    (tmp_path / ".vale.ini").write_text(prose.CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    monkeypatch.setattr(prose, "CONFIG", tmp_path / ".vale.ini")
    return tmp_path


@pytest.mark.usefixtures("repository")
def test_each_kind_of_text_is_checked_and_a_finding_names_its_place(capsys: pytest.CaptureFixture[str]) -> None:
    assert prose.main([]) == 1
    lines = capsys.readouterr().out.splitlines()
    words = {line.split(": '")[0]: line.split("'")[1] for line in lines if "SecureRedis.Words" in line}
    assert words == WORD | {"operator/a.py:7": "once"}  # the second finding of that line
    others = {line.split(": ")[0]: line.rsplit("(", 1)[1] for line in lines if "SecureRedis.Words" not in line}
    assert others == {
        "operator/a.py:15": "SecureRedis.Semicolons)",
        "tests/h.py:1": "SecureRedis.ClauseSubjects)",
    }


def test_the_texts_of_the_crd_are_all_of_them() -> None:
    crd = "crds/secureredis.io_securerediscaches.yaml.spec"
    texts: dict[str, list[str]] = {}
    for one in prose_texts.messages(prose.ROOT):
        texts.setdefault(one.place, []).append(one.text)
    for place, text in (
        (f"{crd}.spec: description", "Desired state."),
        (f"{crd}.additionalPrinterColumns: description", "Host name of the cache."),
        (f"{crd}.status.stalePods.names.items: description", "Name of a pod."),
        (f"{crd}.spec.connection.template.additionalProperties: message", "a template is a URI"),
        (f"{crd}.spec: messageExpression", "the Secret has no entry '"),
        (f"{crd}.status.conditions.items.message: description", "Reason for the status, in a sentence."),
    ):
        assert [one for one in texts[place] if one.startswith(text)], place
    assert sum(len(found) for place, found in texts.items() if place.startswith("crds/")) > 350


def test_the_texts_of_the_programs_are_found() -> None:
    messages = {one.text for one in prose_texts.messages(prose.ROOT)}
    words = {one.place: one.text for one in prose_texts.words(prose.ROOT)}
    assert "the operator has not observed this resource for several intervals" in messages
    assert any("`x` exists and" in one for one in messages)
    assert {"Makefile:1", "charts/secure-redis-operator/templates/NOTES.txt:17"} <= words.keys()
    assert any(place.startswith("sandbox/demo/") for place in words)
