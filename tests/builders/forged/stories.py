"""The state machines besides rotation."""

from typing import Final

from tests.builders.forged.adoption import ADOPTION
from tests.builders.forged.correction import CORRECTION
from tests.builders.forged.creation import CREATION
from tests.builders.forged.deletion import DELETION
from tests.builders.forged.rollout import ROLLOUT
from tests.builders.forged.story import Story

STORIES: Final[tuple[Story, ...]] = (CREATION, CORRECTION, DELETION, ROLLOUT, ADOPTION)
