"""Recordings of the product: the demo's output is cut into chapters, and a picture shows its text and loads nothing."""

import html
import re

import pytest

from sandbox.demo.__main__ import STORY
from sandbox.demo.story import Story
from scripts import docs_recordings
from scripts.docs_pictures import size


@pytest.fixture
def output(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    """The demo's output, with the colours of a terminal."""
    monkeypatch.setenv("FORCE_COLOR", "1")
    story = Story()
    story.say("An introduction.")
    story.chapter(1, "An unsafe cache")
    story.command("kubectl get srcache")
    story.output("NAME     READY\nlegacy   True")
    story.claim("it is found", holds=True)
    story.chapter(2, "The end")
    story.say("Nothing more.")
    return capsys.readouterr().out


def shown(svg: str) -> list[str]:
    """The lines of a picture."""
    lines: dict[str, str] = {}
    for place, text in re.findall(r'<text [^>]*\by="([\d.]+)"[^>]*clip-path[^>]*>(.*?)</text>', svg):
        lines[place] = lines.get(place, "") + html.unescape(text).replace("\xa0", " ")
    return [line.rstrip() for line in lines.values()]


def test_the_output_is_cut_into_chapters(output: str) -> None:
    assert "\x1b[" in output
    found = docs_recordings.chapters(output)
    assert list(found) == ["An unsafe cache", "The end"]
    assert "introduction" not in found["An unsafe cache"]
    assert "it is found" in found["An unsafe cache"]
    assert found["The end"] == "Nothing more."


def test_a_picture_shows_the_text_with_its_colours(output: str) -> None:
    svg = docs_recordings.picture(docs_recordings.chapters(output)["An unsafe cache"], "A <title>", "unsafe")
    text = "\n".join(shown(svg))
    assert "$ kubectl get srcache" in text
    assert re.search(r"NAME +READY\s+legacy +True", text)
    assert "A &lt;title&gt;" in svg or "A&#160;&lt;title&gt;" in svg
    assert len(set(re.findall(r"fill: (#\w{6})", svg))) > 1
    assert size(svg)[0] > 0


def test_a_picture_loads_nothing(output: str) -> None:
    svg = docs_recordings.picture(output, "demo", "demo")
    assert "@font-face" not in svg
    assert not re.search(r"url\([\"']?(?!#)|href=", svg)


def test_the_chapters_that_are_shown_are_told() -> None:
    assert {chapter for _, chapter in STORY} >= set(docs_recordings.CHAPTERS.values())


def test_a_page_shows_each_recording() -> None:
    pages = [path.read_text(encoding="utf-8") for path in (docs_recordings.ROOT / "docs").rglob("*.md")]
    named = {name for page in pages for name in re.findall(r"^<!-- picture: ([\w-]+) \|", page, re.MULTILINE)}
    assert named == {*docs_recordings.CHAPTERS, *docs_recordings.COMMANDS}


def test_a_wide_table_stays_in_one_line() -> None:
    line = "NAME " + "column " * 20
    assert shown(docs_recordings.picture(line, "get", "kubectl-get")) == [line.rstrip()]
    assert len(shown(docs_recordings.picture(line, "get", "kubectl-describe"))) == 2
