"""The last check before money moves: every way out, and the one way in."""

from datetime import timedelta
from typing import Any

import pytest

from domain.payments import CardPayment, Dispute
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason, WaitingFor
from ledger.books import Book
from ledger.payouts import Payouts
from ledger.tables import RailStop
from tests.ledger.scene import CHAIN_ID, DISPUTED_CARD, NOON, PAID_CARD, PAID_CHAIN, SENDER, WALLET, Scene

UNSETTLED = CardPayment(found=True, status="processing", is_card=True, amount_minor=2000, currency="USD")


@pytest.fixture
def refund(scene: Scene) -> str:
    """A refund that was approved and not begun."""
    scene.funded()
    refund = scene.awaiting_approval()
    scene.decide(refund)
    return refund


def stop_rail(scene: Scene, rail: str) -> None:
    with scene.database.write() as session:
        session.add(RailStop(rail=rail, operator="ann", reason="drill", stopped_at=NOON))


def start_rail(scene: Scene, rail: str) -> None:
    with scene.database.write() as session:
        session.delete(session.get_one(RailStop, rail))


def test_an_approved_refund_gets_one_payout_of_exactly_what_was_paid(scene: Scene, refund: str) -> None:
    state = scene.begin(refund)

    payout = scene.payout(refund)
    assert (state.status, state.waiting_for) == (RefundStatus.PAYING, WaitingFor.PROVIDER)
    assert (payout.status, payout.amount_minor, payout.currency) == (PayoutStatus.QUEUED, 2000, "USD")
    assert payout.payment_intent == "pi_dep"
    assert scene.in_book(Book.HELD) == 2000


def test_beginning_twice_begins_once(scene: Scene, refund: str) -> None:
    scene.begin(refund)
    before = scene.views.refund(refund)

    scene.begin(refund)

    assert scene.views.refund(refund) == before


def test_what_is_paid_is_what_was_paid_and_not_what_was_credited(scene: Scene) -> None:
    scene.account()
    record = scene.deposit_record()
    bonus = record.credited.model_copy(update={"amount_minor": 2500})
    scene.deposit(credited=bonus)

    refund = scene.paying()

    assert scene.in_book(Book.HELD) == 2500
    assert scene.payout(refund).amount_minor == 2000


def test_a_crypto_payout_names_wallet_sender_and_base_units(scene: Scene) -> None:
    scene.funded(rail="crypto")

    payout = scene.payout(scene.paying(facts=PAID_CHAIN, rail="crypto"))

    assert (payout.chain_id, payout.wallet, payout.destination) == (CHAIN_ID, WALLET, SENDER)
    assert (payout.amount_base_units, payout.asset, payout.nonce) == (PAID_CHAIN.amount_base_units, "native", None)


def test_without_a_decision_nothing_begins(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    assert scene.begin(refund).reason == StatusReason.APPROVAL_NEEDED
    assert scene.views.refund(refund)["payouts"] == []


def test_a_payment_that_is_not_found_any_more_keeps_the_hold_and_waits(scene: Scene, refund: str) -> None:
    state = scene.begin(refund, CardPayment(found=False))

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.FACTS_UNAVAILABLE)
    assert (scene.in_book(Book.HELD), scene.findings()) == (2000, ["facts_unavailable"])
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_refund_made_outside_keeps_the_hold_and_comes_before_an_operator(scene: Scene, refund: str) -> None:
    state = scene.begin(refund, PAID_CARD.model_copy(update={"refunded_minor": 2000}))

    assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.REFUNDED_OUTSIDE)
    assert (scene.in_book(Book.SPENDABLE), scene.in_book(Book.HELD)) == (0, 2000)
    assert "refunded_outside" in scene.findings()


def test_an_open_dispute_keeps_the_hold_until_the_bank_has_decided(scene: Scene, refund: str) -> None:
    state = scene.begin(refund, DISPUTED_CARD)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.PAYOUT_DISPUTED)
    assert (scene.in_book(Book.HELD), scene.views.refund(refund)["payouts"]) == (2000, [])
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_lost_dispute_moves_the_hold_to_charged_back_and_never_to_spendable(scene: Scene, refund: str) -> None:
    state = scene.begin(refund, PAID_CARD.model_copy(update={"dispute": Dispute.LOST}))

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, StatusReason.CLEAN_FAILED)
    assert (scene.in_book(Book.CHARGED_BACK), scene.in_book(Book.SPENDABLE)) == (2000, 0)
    assert (scene.deposit_state(), scene.hold_state(refund)) == ("charged_back", "charged_back")


@pytest.mark.parametrize("status", ["charged", "pending"])
def test_a_hold_that_is_not_whole_is_never_paid(scene: Scene, refund: str, status: str) -> None:
    scene.order("o", 1, status, is_delivered=True)

    state = scene.begin(refund)

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, StatusReason.UNUSED_FAILED)
    assert scene.in_book(Book.SPENDABLE) == 1999


def test_time_that_passes_before_the_payment_costs_the_customer_nothing(scene: Scene, refund: str) -> None:
    scene.clock.advance(timedelta(days=60))

    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_payment_that_became_unsettled_waits_and_stays_approved(scene: Scene, refund: str) -> None:
    state = scene.begin(refund, UNSETTLED)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.PAYMENT_UNSETTLED)
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_a_stopped_rail_holds_the_payment_back_until_it_is_started(scene: Scene, refund: str) -> None:
    stop_rail(scene, "card")

    state = scene.begin(refund)

    assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.RAIL_STOPPED)
    assert scene.views.refund(refund)["payouts"] == []
    start_rail(scene, "card")
    assert scene.begin(refund).status == RefundStatus.PAYING


def test_the_stop_of_one_rail_does_not_stop_the_other(scene: Scene, refund: str) -> None:
    stop_rail(scene, "crypto")

    assert scene.begin(refund).status == RefundStatus.PAYING


class TestSomethingElseToApprove:
    """What would be paid is no longer what was approved."""

    @pytest.fixture
    def refund(self, scene: Scene) -> str:
        scene.funded(rail="crypto")
        refund = scene.awaiting_approval(facts=PAID_CHAIN, rail="crypto")
        scene.decide(refund)
        return refund

    @pytest.mark.parametrize(
        "change",
        [
            pytest.param({"sender": "0x" + "77" * 20}, id="another sender"),
            pytest.param({"review": ("sender_is_contract",)}, id="something to review"),
        ],
    )
    def test_it_is_asked_for_anew_and_the_old_approval_counts_for_nothing(
        self, scene: Scene, refund: str, change: dict[str, Any]
    ) -> None:
        before = scene.row(refund).digest

        state = scene.begin(refund, PAID_CHAIN.model_copy(update=change))

        assert (state.status, state.reason) == (RefundStatus.AWAITING_APPROVAL, StatusReason.DIGEST_CHANGED)
        assert state.digest != before
        assert not scene.read(refund).approved
        assert scene.begin(refund, PAID_CHAIN.model_copy(update=change)) == state
        assert scene.views.refund(refund)["payouts"] == []

    def test_a_second_change_is_asked_for_and_written_down_as_well(self, scene: Scene, refund: str) -> None:
        scene.begin(refund, PAID_CHAIN.model_copy(update={"sender": "0x" + "77" * 20}))
        before = scene.row(refund)

        scene.begin(refund, PAID_CHAIN.model_copy(update={"sender": "0x" + "88" * 20}))

        after = scene.row(refund)
        assert (after.digest != before.digest, after.version > before.version) == (True, True)
        assert scene.views.refund(refund)["timeline"][-1]["detail"]["digest"] == after.digest

    def test_what_moves_by_itself_asks_for_nothing(self, scene: Scene, refund: str) -> None:
        facts = PAID_CHAIN.model_copy(update={"block_number": 99_999})

        assert scene.begin(refund, facts).status == RefundStatus.PAYING

    @pytest.mark.parametrize("review", [(), ("sender_is_ambiguous",)], ids=["without a reason", "under review"])
    def test_without_a_destination_nothing_is_ever_paid(
        self, scene: Scene, refund: str, review: tuple[str, ...]
    ) -> None:
        state = scene.begin(refund, PAID_CHAIN.model_copy(update={"sender": None, "review": review}))

        assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN)
        assert scene.views.refund(refund)["payouts"] == []
        assert scene.in_book(Book.HELD) == 2000

    def test_without_a_wallet_on_its_chain_a_person_must_look(self, scene: Scene, refund: str) -> None:
        payouts = Payouts(scene.database, scene.policy, wallets={1: WALLET})

        state = payouts.begin(refund, PAID_CHAIN)

        assert (state.status, state.reason) == (RefundStatus.NEEDS_ATTENTION, StatusReason.ROUTE_UNKNOWN)


@pytest.mark.parametrize("step", ["request", "paying", "failed", "refunded"])
def test_only_what_awaits_approval_can_begin(scene: Scene, step: str) -> None:
    scene.funded()
    refund = getattr(scene, step)()
    before = scene.views.refund(refund)

    scene.begin(refund)

    assert scene.views.refund(refund) == before


def test_a_new_ticket_may_ask_again_after_an_unpaid_end(scene: Scene, refund: str) -> None:
    scene.withdraw(refund)
    scene.begin(refund)

    second = scene.paying("2")

    assert scene.payout(second).deposit_id == "dep"
