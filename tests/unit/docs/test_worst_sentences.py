"""The worst sentences of a review by a new user, and the patterns that it found, stay away from what people read.

scripts/vale checks words and sentences everywhere else. Here, code spans and identifiers count too.
"""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
READ_BY_PEOPLE = ("README.md", "docs/**/*.md", "crds/*.yaml", "charts/**/*.*", "operator/**/*.py", "examples/**/*.*")
STYLE_GUIDE = ROOT / "docs/CONTRIBUTING-docs.md"  # names what to avoid

# "…": the review left words out there.
SENTENCES = (
    (
        "It judges (or provisions) how safe a cache is: its transport, as configured and as the endpoint really "
        "speaks, its network, its keys, and its persisted data down to the storage account and the key that encrypts "
        "it."
    ),
    "Whoever writes a resource gains nothing. Namespaces, ServiceAccounts and vault owners consent.",
    "Workloads get it, and every new key of it. Listed and marked once, they are injected so that",
    "They are figures of the machine that runs it, against the simulator. None are quoted here.",
    "what the published Secret holds and whose it is",
    "Two names for what follows, and you are in it:",
    "Be a colleague in the portal, who opens the port without TLS:",
    "Nobody has walked this way yet.",
    "Is an installation well?",
    (
        "looks whether the API server serves the resources and whether a pod leads: the Lease is held, and is seen "
        "to be renewed."
    ),
    "It needs the operator's own rights and changes nothing; what is wrong ends it with status 1 and a sentence.",
    (
        "This example shows every key; where a key has a default, it is the one shown, but for the lists and for what "
        "follows `Custom`."
    ),
    "On transitions of conditions only, and one when an object is let go. Events of kind Warning are worth an alert.",
    "the process is well; 503 is for what a restart mends",
    "answers about what stands around caches … that are held, and the age of the oldest",
    "No rule of weight failed.",
    "Is there something that no retry mends?",
    "It is not so. On port 6379 the access key and all data travel in clear.",
    "accepted in `spec.waivers` with the operator's leave",
    "What it takes: `Microsoft.Cache/redis/read`",
    (
        "What of this has no effect is told in `status.compliance.notes`: a profile that the operator's configuration "
        "raises, a waiver of no rule,"
    ),
    (
        "not looked at yet, or an older generation was; `Reconciling`; not Ready, but it heals by itself when what the "
        "message names is mended"
    ),
    (
        "A broken link is told before a hidden one. What is no break stands behind the good message: account keys that "
        "still work,"
    ),
    "What a creation still owes stays owed.",
    (
        "A pod holds the key that was current when it started, to its very end: nothing is told as current, and no "
        "key is invalidated, while one is still ending."
    ),
    (
        "Others may be able to write there, so until the first look of the process itself it counts against the "
        "cache and never for it: by it no finding becomes a Pass and"
    ),
    (
        "While the resource, all that is seen and the brakes equal those of a pass that came to nothing, and no date "
        "that was seen, and no waiver's end, can have changed a judgement since, the rest of the pass would come to "
        "nothing again."
    ),
    "The operator moves everybody before the old key dies and takes each new AUTH with it as refused from then on.",
    "What is a request and not a state is an annotation, such as",
    "What is asked for.",
    "Who writes this field needs the right to create tokens of that ServiceAccount.",
    "Fields that may differ without being told",
    "Each needs the leave of the operator's configuration",
    (
        "What an author needs who leaves `identity.serviceAccountName` empty, so that the ServiceAccount "
        "`secure-redis` is used where it exists."
    ),
    (
        "the right to create its tokens, as for a named one. `Skip`: nothing; only where no namespace has such a "
        "ServiceAccount."
    ),
    "the Secondary key is to be regenerated",
    "is looked at once the Secret is written",
    "read the key from the environment: …",
    "Refused otherwise:",
)
PATTERNS = (
    "what is not known",
    "the leave of",
    "it is not so",
    "nothing of the operator",
    "ready is not safe",
    "what it takes",
    "but for the",
    "in clear",
    "let go",
    "goes through",
    "a look",
    "behind your back",
    "nobody",
    "somebody",
    "whoever",
    "mend",
    "mends",
    "mended",
    "heals",
    "told",
)


def plain(text: str) -> str:
    """The words of a text alone, so that line breaks, quotes and marks of comments do not matter."""
    return f" {' '.join(re.sub(r'[^a-z0-9]+', ' ', text.lower()).split())} "


@pytest.fixture(scope="module")
def texts() -> dict[str, str]:
    paths = {path for pattern in READ_BY_PEOPLE for path in ROOT.glob(pattern) if path.is_file()}
    return {str(path.relative_to(ROOT)): plain(path.read_text(encoding="utf-8")) for path in paths - {STYLE_GUIDE}}


def with_phrase(texts: dict[str, str], phrase: str) -> list[str]:
    parts = [plain(part) for part in phrase.split("…") if part.strip()]
    return sorted(path for path, text in texts.items() if all(part in text for part in parts))


def test_the_texts_are_read(texts: dict[str, str]) -> None:
    assert "operator/secure_redis/api/reasons/rotation.py" in texts
    assert with_phrase(texts, "Classes of drift that the operator corrects.") == sorted(
        [
            "charts/secure-redis-operator/files/secureredis.io_securerediscaches.yaml",
            "crds/secureredis.io_securerediscaches.yaml",
            "docs/api.md",
            "examples/install/install.yaml",
        ]
    )


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_of_the_review_is_gone(texts: dict[str, str], sentence: str) -> None:
    assert with_phrase(texts, sentence) == []


@pytest.mark.parametrize("phrase", PATTERNS)
def test_a_pattern_of_the_review_is_gone(texts: dict[str, str], phrase: str) -> None:
    assert with_phrase(texts, phrase) == []
