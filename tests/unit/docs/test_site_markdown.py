"""Forms of Markdown that read well on a Git host, and that the site shows as tabs, cards and boxes."""

from pathlib import Path

import pytest
import yaml

from scripts import docs_index
from scripts.docs_markdown import SEARCH, BlockError, blocks, boxes, prepared

TABS = """\
before

<!-- tabs -->

### Helm

one

```sh
### no title
```

#### Below it

### Argo CD

two

<!-- /tabs -->

after
"""


def test_headings_between_the_markers_become_tabs() -> None:
    shown = blocks(TABS)
    assert "<!--" not in shown
    assert '\n=== "Helm"\n\n\n    one\n\n    ```sh\n    ### no title\n    ```\n\n    #### Below it\n' in shown
    assert '\n=== "Argo CD"\n\n\n    two\n' in shown
    assert shown.startswith("before\n")
    assert shown.endswith("\nafter\n")


def test_bold_lines_become_tabs_within_a_numbered_item() -> None:
    given = "1. Install:\n\n   <!-- tabs -->\n\n   **Helm**\n\n   ```sh\n   x\n   ```\n\n   <!-- /tabs -->\n"
    shown = prepared(given, "a.md")
    assert '\n    === "Helm"\n' in shown
    assert "\n        ```sh\n        x\n        ```\n" in shown


def test_a_list_between_the_markers_becomes_cards() -> None:
    shown = blocks("<!-- cards -->\n\n- **a**\n\n<!-- /cards -->\n")
    assert shown == '<div class="grid cards" markdown>\n\n- **a**\n\n</div>\n'


def test_a_quotation_with_a_kind_becomes_a_box() -> None:
    assert boxes("> [!WARNING]\n> one\n>\n> two\n\nthree\n") == '!!! warning "Warning"\n    one\n\n    two\n\nthree\n'
    assert boxes("> quoted\n") == "> quoted\n"


def test_a_marker_in_a_fence_is_text() -> None:
    given = "```md\n<!-- tabs -->\n> [!NOTE]\n```\n"
    assert prepared(given, "a.md") == given


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("<!-- tabs -->\n### a\n", "no end"),
        ("<!-- /tabs -->\n", "`<!-- /tabs -->`"),
        ("<!-- tabs -->\n<!-- cards -->\n<!-- /tabs -->\n", "`<!-- cards -->`"),
        ("<!-- tabs -->\nlost\n### a\n<!-- /tabs -->\n", "lost"),
        ("<!-- tabs -->\n<!-- /tabs -->\n", "no title"),
    ],
)
def test_an_incomplete_block_is_refused(given: str, named: str) -> None:
    with pytest.raises(BlockError, match=named):
        blocks(given)


def test_the_words_of_the_search_are_of_pages_that_exist() -> None:
    words = yaml.safe_load(SEARCH.read_text(encoding="utf-8"))
    assert words
    assert [page for page in words if not (SEARCH.parents[2] / "docs" / page).is_file()] == []


def test_the_list_of_pages_is_that_of_the_navigation(tmp_path: Path) -> None:
    config = tmp_path / "mkdocs.yml"
    inner = [{"Claims": [{"One": "claims/one.md"}]}, {"Decisions": [{"All": "d/README.md"}, {"Two": "d/two.md"}]}]
    navigation = [{"Home": "README.md"}, {"Concepts": [{"Keys": "keys.md"}, *inner]}]
    config.write_text("x: !ENV [A, b]\n" + yaml.safe_dump({"nav": navigation}))
    shown = docs_index.page("a\n<!-- pages: x -->\nold\n<!-- /pages -->\nb\n", config)
    section = "- **Concepts**\n    - [Keys](keys.md)\n    - [Decisions](d/README.md)"
    assert shown == f"a\n<!-- pages: x -->\n\n{section}\n\n<!-- /pages -->\nb\n"
