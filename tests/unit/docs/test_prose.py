"""The style of scripts/vale/styles finds what it forbids, in every place of a sentence, and nothing else."""

from pathlib import Path

import pytest
import yaml

from scripts import prose
from scripts.prose import Finding

STYLES = prose.ROOT / "scripts/vale/styles/SecureRedis"
WORDS = yaml.safe_load((STYLES / "Words.yml").read_text(encoding="utf-8"))["swap"]

# Each has exactly one word that Words.yml forbids. All keys of Words.yml occur here.
FORBIDDEN = (
    "The condition tells the cause.",
    "It was told on Monday.",
    "Telling the cause helps.",
    "The change was seen yesterday.",
    "Such a pod is never seen again.",
    "The field is said in the status.",
    "The first look follows.",
    "Another look is planned.",
    "The operator looks at the cache.",
    "It looked whether the vault answers.",
    "The page is looked after.",
    "A restart mends it.",
    "The pod is mended.",
    "The condition heals by itself.",
    "It puts it right.",
    "The operator is putting the port right.",
    "The process is well.",
    "The pod is well and ready.",
    "It requires the leave of the operator.",
    "It runs with the operator's leave.",
    "You need leave of absence.",
    "It has the rights of the chart.",
    "The author has the right to create tokens.",
    "Whoever writes it gains power.",
    "Somebody changed the cache.",
    "Someone changed the cache.",
    "Nobody changed the cache.",
    "The key of everybody changes.",
    "The port is open to anybody.",
    "The Secret is ours.",
    "Each field is required but for the name.",
    "The cache is created anew.",
    "It shows nothing of the key.",
    "It is so.",
    "It is not so.",
    "This cache is shared and that one not so.",
    "The key is invalid at once.",
    "The rule is of weight.",
    "The key travels in clear.",
    "The operator lets go of the object.",
    "The object was let go.",
    "The request goes through.",
    "The lock stands in the way.",
    "The old value stood there.",
    "The step owes a write.",
    "The operator reckons the time.",
)
ALLOWED = (
    "The operator reports the cause.",
    "A change seen by the operator is reported.",
    "It was seen by the operator.",
    "The pod looks healthy, and you look for the event.",
    "A well-known path works as well.",
    "Leave it, or leave to others what they own.",
    "The right place is the one on the right.",
    "Choose the right one, the copyright stays.",
    "It affects everyone.",
    "No one changed the cache, and anyone can read it.",
    "It asks not for a key but finds one.",
    "Nothing changes, and one of nothing stays.",
    "It is so long that it is not so easy.",
    "It runs once, and at one time only.",
    "The weight of the rule is stated in clear text.",
    "The operator lets the pod go.",
    "The key goes to the pod, and the request goes on.",
    "The standby is outstanding, and this is a standard.",
    "The standby's own power is in your hours, and the other one stands by.",
    "A stand-in answers, and nothing of the kind exists.",
)


def on(path: Path, text: str) -> list[Finding]:
    """The findings on a scratch page."""
    path.write_text(text, encoding="utf-8")
    return prose.check([path])


def rules(path: Path, text: str) -> set[str]:
    return {finding.rule.removeprefix("SecureRedis.") for finding in on(path, text)}


def wrapped(sentence: str) -> str:
    """The sentence with each word on a line of its own, as the worst that a line break can do."""
    return sentence.replace(" ", "\n  ")


CONTEXTS = {
    "paragraph": "{}",
    "wrapped": "- {wrapped}",
    "nested": "- outer\n  - {}",
    "numbered": "1. {}",
    "cell": "| name | text |\n| --- | --- |\n| `code` | {} |",
    "quotation": "> {}",
    "after code": "The `operator` writes `status.cache`. {} Then it ends.",
    "bold": "**{}** It ends.",
}


@pytest.mark.parametrize("context", CONTEXTS)
def test_each_word_is_found_wherever_it_stands(tmp_path: Path, context: str) -> None:
    pages = {}
    for number, sentence in enumerate(FORBIDDEN):
        page = tmp_path / f"{number:02}.md"
        text = CONTEXTS[context].format(sentence, wrapped=wrapped(sentence))
        page.write_text(f"# Title\n\n{text}\n", encoding="utf-8")
        pages[str(page)] = sentence
    found = [finding for finding in prose.check(list(pages)) if finding.rule == "SecureRedis.Words"]
    assert sorted(pages[finding.page] for finding in found) == sorted(FORBIDDEN)
    assert {finding.message.split(": write ")[1].rstrip(".") for finding in found} == set(WORDS.values())


def test_each_word_has_an_advice_of_its_own() -> None:
    assert len(set(WORDS.values())) == len(WORDS)


def test_a_finding_names_the_line(tmp_path: Path) -> None:
    found = on(tmp_path / "page.md", "# Title\n\nFirst.\n\nThe key is\ninvalid at\nonce.\n\nA restart mends it.\n")
    assert [(finding.line, finding.message) for finding in found] == [
        (7, "'once': write 'immediately' or 'at the same time'."),
        (9, "'mends': write 'fix'."),
    ]


def test_legitimate_uses_are_not_found(tmp_path: Path) -> None:
    assert on(tmp_path / "page.md", "\n\n".join(ALLOWED)) == []


def test_code_and_addresses_are_not_checked(tmp_path: Path) -> None:
    spans = "\n\n".join(f"It prints `{sentence}` here." for sentence in FORBIDDEN)
    block = "\n".join(FORBIDDEN)
    text = f"{spans}\n\n```text\n{block}\n```\n\nA [link](nobody-told.md#told) follows.\n\n<!-- {block} -->\n"
    assert on(tmp_path / "page.md", text) == []


def words(count: int) -> str:
    return "The operator " + " ".join(["waits"] * (count - 2)) + "."


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (words(30), set()),
        (words(31), {"SentenceLength"}),
        (f"{words(30)} {words(30)}", set()),
        (words(41), {"SentenceLength", "LongSentences"}),
        (wrapped(words(31)), {"SentenceLength"}),
        (f"{words(30)[:-1]} `code` and-such `more` `code`.", {"SentenceLength"}),
        (f"{words(30)[:-1]} `code` `more` `code`.", set()),
        (f"> {words(31)}", {"SentenceLength"}),
        (f"- {words(40)}", set()),
        (f"- {words(41)}", {"LongSentences"}),
        (f"- {wrapped(words(41))}", {"LongSentences"}),
        (f"| name |\n| --- |\n| {words(40)} |", set()),
        (f"| name |\n| --- |\n| {words(41)} |", {"LongSentences"}),
        ("The pod waits; the operator writes.", set()),
        ("The pod waits; the operator writes; the cache answers.", {"Semicolons"}),
        ("| name |\n| --- |\n| one; two; three |", set()),
        ("- It waits; `code` writes;\n  it answers.", {"Semicolons"}),
        ("What is not known counts as unsafe.", {"ClauseSubjects"}),
        ("It waits. What is `nil` counts as unsafe.", {"ClauseSubjects"}),
        ("- What it reads is open.", {"ClauseSubjects"}),
        ("| name |\n| --- |\n| What it reads. |", set()),
        ("That the key is live is proven first.", {"ClauseSubjects"}),
        ("What does it read? That field is read. That is all.", set()),
        ("The next pass writes it.", {"Reconcile"}),
        ("The check passes, and the Pass of a rule counts as a pass.", set()),
        ("[What a correction causes](corrections.md) lists it.", set()),
        ("## Ready is not True", set()),
        ("# What is read", set()),
        ("# Is it safe?", {"HeadingPunctuation"}),
        ("# Safe `values`:", {"HeadingPunctuation"}),
        ("## A value, or none.", {"HeadingPunctuation"}),
        ("## Verify The installation", {"HeadingCase"}),
        ("## Rule T1: The port in Azure Key Vault and the RoleBinding of `Code`", set()),
    ],
)
def test_sentences_and_headings(tmp_path: Path, text: str, found: set[str]) -> None:
    assert rules(tmp_path / "page.md", f"{text}\n") == found


def test_the_pages_are_those_that_people_read() -> None:
    pages = prose.pages()
    assert {"README.md", "docs/README.md", "docs/claims/status.md", "benchmarks/README.md"} <= set(pages)
    assert len(pages) > 250


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with a page that is not clean, and with our style."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts/vale").symlink_to(prose.ROOT / "scripts/vale")
    (tmp_path / ".vale.ini").write_text(prose.CONFIG.read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/keys.md").write_text("A restart mends it.\n", encoding="utf-8")
    monkeypatch.setattr(prose, "ROOT", tmp_path)
    monkeypatch.setattr(prose, "CONFIG", tmp_path / ".vale.ini")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finding_fails_the_check(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert prose.main([]) == 1
    assert capsys.readouterr().out == "docs/keys.md:1:11: 'mends': write 'fix'. (SecureRedis.Words)\n"


def test_only_the_named_pages_are_checked(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (repository / "docs/clean.md").write_text("A restart fixes it.\n", encoding="utf-8")
    assert prose.main(["docs/clean.md"]) == 0
    assert prose.main(["docs/keys.md"]) == 1
    assert capsys.readouterr().out.count("docs/keys.md:1:11: ") == 1


def test_a_rule_that_vale_cannot_read_is_reported(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = repository / ".vale.ini"
    config.write_text(config.read_text().replace("= SecureRedis", "= NoSuchStyle"), encoding="utf-8")
    assert prose.main([]) == 1
    assert "NoSuchStyle" in capsys.readouterr().err
