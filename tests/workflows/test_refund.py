"""The plain life of a refund, from ticket to money, on both rails."""

import pytest

from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus
from tests.fakes import PENDING, SENDER, SUCCEEDED
from tests.workflows.arrows import walks
from tests.workflows.house import COIN, House, make_policy

CHECKING, AWAITING_APPROVAL = RefundStatus.CHECKING, RefundStatus.AWAITING_APPROVAL
PAYING, CONFIRMING, REFUNDED = RefundStatus.PAYING, RefundStatus.CONFIRMING, RefundStatus.REFUNDED


@walks((CHECKING, AWAITING_APPROVAL), (AWAITING_APPROVAL, PAYING), (PAYING, CONFIRMING), (CONFIRMING, REFUNDED))
async def test_an_approved_card_refund_is_paid_once_and_booked(house: House) -> None:
    house.deposit()
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    assert (house.books(), house.card.moved()) == ({"held": 2000}, [])

    house.approve(refund)
    seen = await house.bring(refund, REFUNDED)

    assert house.card.moved() == [("pi_dep_1", 2000)]
    assert house.books() == {"refunded": 2000}
    assert [payout["status"] for payout in seen["payouts"]] == ["succeeded"]
    assert [message["kind"] for message in seen["messages"]] == ["refunded/paid"]


@walks((CHECKING, AWAITING_APPROVAL), (AWAITING_APPROVAL, PAYING), (PAYING, CONFIRMING), (CONFIRMING, REFUNDED))
async def test_an_approved_crypto_refund_goes_once_to_the_address_that_sent_the_deposit(house: House) -> None:
    house.deposit(rail="crypto")
    refund = await house.request(rail="crypto")
    await house.until(refund, AWAITING_APPROVAL)
    assert (house.books(), house.chain.moved()) == ({"held": 2000}, [])

    house.approve(refund)
    seen = await house.bring(refund, REFUNDED)

    assert house.chain.moved() == [(SENDER, COIN)]
    assert house.books() == {"refunded": 2000}
    assert (seen["payouts"][0]["to"], seen["payouts"][0]["nonce"]) == (SENDER, 0)


async def test_a_card_refund_that_the_bank_holds_is_looked_at_until_it_succeeds(house: House) -> None:
    house.deposit()
    house.card.status_of_new = PENDING
    refund = await house.request()
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    seen = await house.bring(refund, CONFIRMING)
    assert seen["payouts"][0]["status"] == "pending"
    assert house.books() == {"held": 2000}

    house.card.change(f"refund/{refund}/1", SUCCEEDED)
    await house.skip(seconds=16)

    assert house.see(refund)["status"] == REFUNDED
    assert house.books() == {"refunded": 2000}
    assert (house.card.posts, house.card.looks) == (1, 1)


@pytest.mark.parametrize(
    ("rail", "outcome"),
    [("card", PENDING), ("card", PayoutOutcome(status=PayoutStatus.UNKNOWN)), ("crypto", PENDING)],
    ids=["a card refund that is pending", "a card refund that is unclear", "a chain payout"],
)
@pytest.mark.parametrize("policy", [make_policy(wallet_block_seconds=600)], ids=["slow blocks"])
async def test_a_payout_that_stays_unconfirmed_becomes_a_finding_and_is_still_looked_at(
    house: House, rail: str, outcome: PayoutOutcome
) -> None:
    house.card.status_of_new = outcome
    house.chain.mines_at_once = False
    house.deposit(rail=rail)
    refund = await house.request(rail=rail)
    await house.until(refund, AWAITING_APPROVAL)
    house.approve(refund)
    await house.bring(refund, PAYING, CONFIRMING)

    await house.skip(hours=3)

    assert house.findings() == ["overdue_reminder"]
    assert house.see(refund)["status"] in (PAYING, CONFIRMING)
    assert house.books() == {"held": 2000}
    assert len(await house.history(refund)) < 250
