"""The demo's stories, each a test: the money is looked for at Stripe and on the chain."""

from concurrent.futures import Future

import pytest

from devstack.demo.stories import STORIES, Story, Told

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.play.__name__)
def test_story_ends_as_promised(told: dict[Story, Future[Told]], story: Story) -> None:
    end = told[story].result()

    is_paid_back = end.happened.startswith("refunded")
    assert is_paid_back != end.happened.startswith(("ineligible", "rejected", "withdrawn"))
    assert ("nothing moved" in end.money) != is_paid_back
