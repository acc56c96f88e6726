"""Chain payouts: nonce and bytes are stored together, and what the chain shows is booked."""

from datetime import timedelta

import pytest

from domain.money import NATIVE
from domain.outbox import IN_FLIGHT_MAX, QueuedPayout, SentPayout
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from domain.transfers import Outgoing, SendAnswer, Sighting, SignedTransfer, Transfer
from ledger.books import Book
from ledger.tables import ChainTransaction, RailStop, Wallet
from tests.ledger.scene import CHAIN_ID, COIN, NOON, PAID_CHAIN, SENDER, TERMS, WALLET, Scene, sign, wallet_view

MINED = Sighting(is_mined=True, block_number=9, succeeded=True)
FINAL = MINED.model_copy(update={"is_final": True})
BURIED = FINAL.model_copy(update={"is_buried": True})
REVERTED = FINAL.model_copy(update={"succeeded": False})


def pay(scene: Scene, number: int = 1) -> str:
    """Bring one crypto refund to its queued payout."""
    scene.account()
    deposit = scene.deposit(f"dep_{number}", rail="crypto")
    return scene.paying(str(number), PAID_CHAIN, rail="crypto", deposit_id=deposit)


def queued(scene: Scene) -> list[str]:
    return [it.refund_id for it in scene.outbox.queued(CHAIN_ID, WALLET)]


def sent(scene: Scene) -> SentPayout:
    (only,) = scene.outbox.sent(CHAIN_ID, WALLET)
    return only


def see(scene: Scene, sighting: Sighting | None) -> bool:
    payout = sent(scene)
    return scene.sightings.record_sighting(payout, payout.newest if sighting else None, sighting)


def pause(scene: Scene) -> str | None:
    with scene.database.read() as session:
        return session.get_one(Wallet, (CHAIN_ID, WALLET)).pause_reason


@pytest.fixture
def refund(scene: Scene) -> str:
    return pay(scene)


@pytest.fixture
def signed(scene: Scene, refund: str) -> str:
    scene.sign(refund)
    return refund


def test_signing_stores_nonce_and_bytes_before_anything_is_sent(scene: Scene, refund: str) -> None:
    signed = scene.sign(refund, wallet_view(nonce=41, nonce_finalized=41, first_nonce=41))

    payout, stored = scene.payout(refund), sent(scene)
    assert signed is not None
    assert (payout.nonce, payout.status, payout.tx_hash) == (41, PayoutStatus.UNKNOWN, signed.tx_hash)
    assert (stored.nonce, stored.newest.tx_hash, stored.newest.raw) == (41, signed.tx_hash, signed.raw)
    assert (stored.newest.terms, stored.newest.sequence, stored.newest.sends) == (TERMS, 1, 0)


def test_what_is_signed_goes_to_the_sender_with_the_whole_amount(scene: Scene, refund: str) -> None:
    asked: list[Transfer] = []

    def watch(transfer: Transfer) -> SignedTransfer:
        asked.append(transfer)
        return sign(transfer)

    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)
    scene.sign_one(waiting, wallet_view(), watch)

    assert [(it.to, it.amount_base_units, it.wallet) for it in asked] == [
        (SENDER, PAID_CHAIN.amount_base_units, WALLET)
    ]


def test_nonces_follow_each_other_without_a_gap(scene: Scene) -> None:
    refunds = [pay(scene, number) for number in range(3)]

    for refund in refunds:
        scene.sign(refund, wallet_view(nonce=5, nonce_finalized=5, first_nonce=5))

    assert [it.nonce for it in scene.outbox.sent(CHAIN_ID, WALLET)] == [5, 6, 7]


def test_nothing_is_signed_by_a_view_that_does_not_show_pool_and_balance(scene: Scene, refund: str) -> None:
    view = wallet_view().model_copy(update={"is_for_signing": False})

    assert scene.sign(refund, view) is None
    assert scene.payout(refund).nonce is None
    assert scene.sign(refund, wallet_view()) is not None


def test_signing_a_second_time_signs_nothing(scene: Scene, refund: str) -> None:
    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)
    scene.sign_one(waiting, wallet_view())

    again = scene.sign_one(waiting, wallet_view())

    assert again is None
    assert len(sent(scene).transactions) == 1


def test_a_crash_while_signing_leaves_no_nonce_and_no_bytes(scene: Scene, refund: str) -> None:
    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)

    def crash(_: Transfer) -> SignedTransfer:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scene.sign_one(waiting, wallet_view(nonce=3, first_nonce=3), crash)

    assert (scene.payout(refund).nonce, scene.payout(refund).status) == (None, PayoutStatus.QUEUED)
    assert queued(scene) == [refund]
    with scene.database.read() as session:
        assert session.query(ChainTransaction).count() == 0
    scene.sign(refund, wallet_view(nonce=3, nonce_finalized=3, first_nonce=3))
    assert scene.payout(refund).nonce == 3


def test_a_payout_leaves_the_queue_once_it_has_a_nonce(scene: Scene, signed: str) -> None:
    assert queued(scene) == []


def test_the_oldest_waits_first_in_line(scene: Scene) -> None:
    refunds = []
    for number in range(3):
        refunds.append(pay(scene, number))
        scene.clock.advance(timedelta(seconds=1))

    assert queued(scene) == refunds


def test_no_more_are_in_flight_than_a_node_keeps_until_one_is_in_a_block(scene: Scene) -> None:
    refunds = [pay(scene, number) for number in range(IN_FLIGHT_MAX + 1)]

    signed = [scene.sign(refund) for refund in refunds]
    first = scene.outbox.sent(CHAIN_ID, WALLET)[0]
    scene.sightings.record_sighting(first, first.newest, MINED)

    assert [it is not None for it in signed] == [True] * IN_FLIGHT_MAX + [False]
    assert scene.sign(refunds[-1]) is not None


@pytest.mark.parametrize("rail", ["crypto", "card"])
def test_a_stopped_rail_signs_nothing_more_and_stops_no_other(scene: Scene, refund: str, rail: str) -> None:
    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)
    with scene.database.write() as session:
        session.add(RailStop(rail=rail, operator="ann", reason="drill", stopped_at=NOON))

    signed = scene.sign_one(waiting, wallet_view())

    assert queued(scene) == []
    assert (signed is None) == (rail == "crypto")
    assert (scene.payout(refund).nonce is None) == (rail == "crypto")


@pytest.mark.parametrize(
    ("finalized", "reason"),
    [(8, None), (9, "nonce_drift")],
    ids=["as many nonces as we know", "one that we did not assign"],
)
def test_a_wallet_whose_nonces_moved_without_us_is_paused(scene: Scene, finalized: int, reason: str | None) -> None:
    scene.sign(pay(scene, 1), wallet_view(nonce=7, nonce_finalized=7, first_nonce=7))
    second = pay(scene, 2)

    signed = scene.sign(second, wallet_view(nonce=finalized, nonce_finalized=finalized))

    assert (pause(scene), signed is None) == (reason, reason is not None)
    assert queued(scene) == []
    assert scene.findings() == (["wallet_paused"] if reason else [])


def test_a_payout_that_cannot_be_signed_stands_before_an_operator_as_never_sent(scene: Scene, refund: str) -> None:
    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)

    scene.outbox.cannot_sign(waiting, StatusReason.PAYOUT_REFUSED, "the sender refuses coins")

    assert (scene.row(refund).status, scene.payout(refund).status) == (
        RefundStatus.NEEDS_ATTENTION,
        PayoutStatus.REFUSED,
    )
    assert scene.in_book(Book.HELD, "dep_1") == 2000


def test_a_payout_with_a_nonce_is_never_called_unsent(scene: Scene, refund: str) -> None:
    (waiting,) = scene.outbox.queued(CHAIN_ID, WALLET)
    scene.sign(refund)

    scene.outbox.cannot_sign(waiting, StatusReason.PAYOUT_REFUSED, "too late")

    assert scene.payout(refund).status == PayoutStatus.UNKNOWN


def test_a_shortage_is_told_once_a_day(scene: Scene, refund: str) -> None:
    view = wallet_view(balance=25 * COIN)

    assert [scene.sign(refund, view) for _ in range(2)] == [None, None]

    (finding,) = scene.views.open_findings()
    assert finding["evidence"] == {
        "chain_id": CHAIN_ID,
        "wallet": WALLET,
        "asset": NATIVE,
        "needed_base_units": str(25 * COIN + TERMS.fee_wei_max),
        "balance_base_units": str(25 * COIN),
    }


def test_the_node_s_answer_is_kept_and_moves_nothing(scene: Scene, signed: str) -> None:
    tx_hash = sent(scene).transactions[0].tx_hash

    for answer in (SendAnswer.UNCLEAR, SendAnswer.SEEN):
        scene.outbox.record_sends({tx_hash: answer})

    with scene.database.read() as session:
        row = session.get_one(ChainTransaction, tx_hash)
        assert (row.sends, row.last_answer) == (2, SendAnswer.SEEN)
    assert scene.payout(signed).status == PayoutStatus.UNKNOWN


# --- what the chain shows


@pytest.mark.parametrize(
    ("sightings", "status", "payout", "book"),
    [
        pytest.param([], RefundStatus.PAYING, PayoutStatus.UNKNOWN, Book.HELD, id="nothing seen"),
        pytest.param([None], RefundStatus.PAYING, PayoutStatus.UNKNOWN, Book.HELD, id="in no block"),
        pytest.param([MINED], RefundStatus.CONFIRMING, PayoutStatus.PENDING, Book.HELD, id="in a block"),
        pytest.param([MINED, FINAL], RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED, Book.REFUNDED, id="final"),
        pytest.param([BURIED], RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED, Book.REFUNDED, id="buried"),
        pytest.param(
            [MINED, REVERTED], RefundStatus.NEEDS_ATTENTION, PayoutStatus.REVERTED, Book.HELD, id="finally reverted"
        ),
        pytest.param(
            [MINED.model_copy(update={"succeeded": False})],
            RefundStatus.CONFIRMING,
            PayoutStatus.PENDING,
            Book.HELD,
            id="reverted in a block that may vanish",
        ),
        pytest.param([MINED, None], RefundStatus.CONFIRMING, PayoutStatus.UNKNOWN, Book.HELD, id="block vanished"),
        pytest.param(
            [FINAL, None], RefundStatus.NEEDS_ATTENTION, PayoutStatus.UNKNOWN, Book.HELD, id="a final block vanished"
        ),
        pytest.param(
            [FINAL, MINED.model_copy(update={"block_number": 10})],
            RefundStatus.NEEDS_ATTENTION,
            PayoutStatus.PENDING,
            Book.HELD,
            id="moved to another block",
        ),
        pytest.param(
            [FINAL, MINED], RefundStatus.REFUNDED, PayoutStatus.SUCCEEDED, Book.REFUNDED, id="less is called final"
        ),
        pytest.param(
            [FINAL, REVERTED], RefundStatus.NEEDS_ATTENTION, PayoutStatus.REVERTED, Book.HELD, id="final and then not"
        ),
        pytest.param(
            [FINAL, None, MINED, FINAL],
            RefundStatus.REFUNDED,
            PayoutStatus.SUCCEEDED,
            Book.REFUNDED,
            id="vanished and came back",
        ),
    ],
)
def test_the_refund_follows_the_chain(
    scene: Scene,
    signed: str,
    sightings: list[Sighting | None],
    status: RefundStatus,
    payout: PayoutStatus,
    book: Book,
) -> None:
    for sighting in sightings:
        see(scene, sighting)

    assert (scene.row(signed).status, scene.payout(signed).status) == (status, payout)
    assert scene.in_book(book, "dep_1") == 2000


@pytest.mark.parametrize("sighting", [None, MINED, FINAL, REVERTED], ids=["none", "mined", "final", "reverted"])
def test_the_same_sighting_again_changes_nothing(scene: Scene, signed: str, sighting: Sighting | None) -> None:
    see(scene, sighting)
    before = scene.views.refund(signed), scene.findings()

    has_changed = see(scene, sighting)

    assert not has_changed
    assert (scene.views.refund(signed), scene.findings()) == before


def test_a_sighting_tells_whether_the_refund_has_news(scene: Scene, signed: str) -> None:
    assert [see(scene, it) for it in (None, MINED, MINED, FINAL)] == [False, True, False, True]


def test_a_payout_is_cared_for_until_it_is_buried(scene: Scene, signed: str) -> None:
    see(scene, FINAL)
    assert not scene.row(signed).watch_over

    assert see(scene, BURIED)

    assert scene.row(signed).watch_over
    assert scene.outbox.sent(CHAIN_ID, WALLET) == []


@pytest.mark.parametrize(
    "vanished", [None, MINED.model_copy(update={"block_number": 10})], ids=["in no block", "in another block"]
)
def test_a_paid_refund_whose_block_vanished_is_never_paid_anew(
    scene: Scene, signed: str, vanished: Sighting | None
) -> None:
    see(scene, FINAL)
    see(scene, vanished)

    assert scene.row(signed).status_reason == StatusReason.PAYOUT_REORGED
    assert sent(scene).nonce == 0
    assert queued(scene) == []
    assert scene.findings() == ["payout_reorged"]


def test_a_card_payout_has_no_place_here(scene: Scene) -> None:
    scene.funded()
    refund = scene.paying()
    outgoing = Outgoing(chain_id=31337, wallet=WALLET, to=SENDER, amount_base_units=1)

    with pytest.raises(ValueError, match="outbox"):
        scene.sign_one(QueuedPayout(refund_id=refund, attempt=1, outgoing=outgoing), wallet_view())
