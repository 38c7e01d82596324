"""Print the tables of docs/internals/status-fields.md."""

from tests.builders.forged.stories import STORIES
from tests.builders.forged.story import table

for story in STORIES:
    print(f"### {story.section}\n\n{table(story)}\n")  # noqa: T201
