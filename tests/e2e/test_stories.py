"""The demo's stories, each a test: the money is looked for at Stripe and on the chain."""

import pytest

from devstack.demo.stories import AFTERWARDS, STORIES, Story
from devstack.demo.town import Town

pytestmark = pytest.mark.stack


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.play.__name__)
def test_story_ends_as_promised(town: Town, story: Story) -> None:
    told = story.play(town)

    is_paid_back = told.happened == "refunded"
    assert is_paid_back != told.happened.startswith(("ineligible", "rejected", "withdrawn"))
    assert ("nothing moved" in told.money) != is_paid_back


def test_a_worker_killed_while_it_pays_leaves_money_that_moved_once_and_books_that_agree(town: Town) -> None:
    killed, reconciled, audited = (story.play(town) for story in AFTERWARDS)

    assert killed.happened == "refunded and refunded"
    assert killed.money.count("once") == 2
    assert reconciled.happened == "no difference"
    assert audited.happened == "nobody touched it"
