"""What people read of refunds and balances."""

from datetime import timedelta

import pytest

from domain.errors import NotFound
from domain.money import Money
from domain.refunds import RefundStatus
from tests.ledger.scene import PAID_CHAIN, Scene


@pytest.fixture
def three(scene: Scene) -> list[str]:
    """Three refunds, the newest last; one ticket's id holds colons."""
    scene.funded()
    refunds = [scene.awaiting_approval("1")]
    for ticket in ("2", "desk:2:3"):
        scene.clock.advance(timedelta(minutes=1))
        refunds.append(scene.request(ticket))
    return refunds


def ids(scene: Scene, **query: object) -> list[str]:
    return [picture["id"] for picture in scene.views.refunds(**query)]  # type: ignore[arg-type] # one query at a time


def test_refunds_are_listed_newest_first(scene: Scene, three: list[str]) -> None:
    assert ids(scene) == three[::-1]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        pytest.param({"status": RefundStatus.AWAITING_APPROVAL}, [0], id="status"),
        pytest.param({"ticket": "1"}, [0], id="ticket id"),
        pytest.param({"ticket": "desk:2"}, [1], id="system and ticket id"),
        pytest.param({"ticket": "other:2"}, [], id="another system"),
        pytest.param({"ticket": "desk:2:3"}, [2], id="ticket id with colons"),
        pytest.param({"ticket": "desk:desk:2:3"}, [2], id="system and ticket id with colons"),
        pytest.param({"account": "acct"}, [2, 1, 0], id="account"),
        pytest.param({"account": "other"}, [], id="another account"),
        pytest.param({"deposit": "dep"}, [0], id="deposit"),
        pytest.param({"limit": 1}, [2], id="limit"),
    ],
)
def test_refunds_are_found(scene: Scene, three: list[str], query: dict[str, object], expected: list[int]) -> None:
    assert ids(scene, **query) == [three[position] for position in expected]


def test_pages_follow_each_other_without_gap_or_repeat(scene: Scene) -> None:
    scene.funded()
    refunds = {scene.request(str(number)) for number in range(5)}  # all in the same moment

    seen: list[str] = []
    after = None
    while page := scene.views.refunds(after=after, limit=2):
        seen += [picture["id"] for picture in page]
        after = (page[-1]["created_at"], page[-1]["id"])

    assert sorted(seen) == sorted(refunds)


def test_a_whole_refund_shows_decisions_payouts_and_timeline(scene: Scene) -> None:
    scene.funded(rail="crypto")
    refund = scene.paying(facts=PAID_CHAIN, rail="crypto")

    picture = scene.views.refund(refund)

    assert [it["operator"] for it in picture["decisions"]] == ["ann"]
    assert picture["payouts"][0]["amount_base_units"] == str(PAID_CHAIN.amount_base_units)
    assert [it["event"] for it in picture["timeline"]] == [
        "refund.requested",
        "hold.placed",
        "refund.awaiting_approval",
        "decision.approve",
        "refund.paying",
    ]


def test_balances_are_told_per_currency(scene: Scene) -> None:
    scene.funded()
    scene.deposit("euros", credited=Money(amount_minor=700, currency="EUR"))

    told = [(it["currency"], it["spendable_minor"]) for it in scene.views.balance("acct")]

    assert told == [("EUR", 700), ("USD", 2000)]


@pytest.mark.parametrize("view", ["refund", "balance"])
def test_what_does_not_exist_is_not_found(scene: Scene, view: str) -> None:
    with pytest.raises(NotFound):
        getattr(scene.views, view)("unknown")
