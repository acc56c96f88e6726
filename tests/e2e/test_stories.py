"""The demo's stories, each a test: the money is looked for at Stripe and on the chain."""

import pytest

from devstack.demo.stories import STORIES, Story
from devstack.demo.town import Town

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.play.__name__)
def test_story_ends_as_promised(town: Town, story: Story) -> None:
    told = story.play(town)

    is_paid_back = told.happened.startswith("refunded")
    assert is_paid_back != told.happened.startswith(("ineligible", "rejected", "withdrawn"))
    assert ("nothing moved" in told.money) != is_paid_back
