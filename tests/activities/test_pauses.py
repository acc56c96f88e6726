"""What stops a wallet: it assigns nothing more, tells why, and goes on caring for what has a nonce."""

from datetime import timedelta

import pytest

from domain.decisions import ResolutionAction
from domain.differences import SentTransfer
from domain.errors import Conflict
from domain.money import NATIVE
from domain.payouts import PayoutStatus
from domain.refunds import Rail, RefundStatus, StatusReason
from domain.transfers import ForeignUse
from ledger.rails import Rails
from tests.activities.line import Line
from tests.fakes import CHAIN_ID, SENDER
from tests.workflows.house import COIN

FOREIGN = ForeignUse(nonce=0, finalized_nonces=(1, 1), tx_hash="0xf0")
STOLEN = SentTransfer(
    tx_hash="0xf0",
    nonce=0,
    to="0x" + "66" * 20,
    asset=NATIVE,
    amount_base_units=1,
    succeeded=True,
    is_final=True,
    block_number=5,
)
UNKNOWN_TO_US = (RefundStatus.NEEDS_ATTENTION, StatusReason.PAYOUT_UNKNOWN, PayoutStatus.UNKNOWN)


def start(line: Line, *people: str, adopt_nonce: int | None = None) -> bool:
    """Let people start the chain's wallet; return whether it is still stopped."""
    rails = Rails(line.house.database)
    said = [
        rails.start(Rail.CRYPTO, "explained", operator=it, chain_id=CHAIN_ID, adopt_nonce=adopt_nonce)
        for it in people
    ]
    return bool(said[-1]["is_stopped"])


@pytest.fixture
def refund(line: Line) -> str:
    """A refund whose payout was sent, and is in no block."""
    refund = line.queue()
    line.turn()
    return refund


@pytest.fixture
def lost(line: Line, refund: str) -> str:
    """A refund whose nonce something else has used for good, by the word of every endpoint."""
    line.chain.nonce = line.chain.nonce_finalized = 1
    line.chain.foreign[0] = FOREIGN
    return refund


def test_more_final_nonces_than_we_assigned_stop_the_wallet_but_not_what_it_sent(line: Line, refund: str) -> None:
    line.chain.nonce_finalized = 2
    waiting = line.queue("dep_2")

    line.turn()
    line.wait()
    line.turn()

    assert (line.pause_reason(), line.nonce(waiting)) == ("nonce_drift", None)
    assert line.house.findings()[0] == "wallet_paused"
    assert len(line.chain.broadcasts) > 1
    line.chain.mine(line.hashes(refund)[0])
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED


def test_a_nonce_that_others_used_and_is_not_final_yet_only_delays(line: Line, refund: str) -> None:
    line.chain.nonce = 2
    waiting = line.queue("dep_2")

    line.turn()

    assert (line.pause_reason(), line.nonce(waiting)) == (None, None)


def test_a_new_wallet_waits_while_the_pool_holds_something_of_it_that_is_not_ours(line: Line) -> None:
    line.chain.in_pool = 1
    waiting = line.queue()

    line.turn()
    in_doubt = line.nonce(waiting)
    line.chain.in_pool = 0
    line.turn()

    assert (in_doubt, line.nonce(waiting)) == (None, 0)


def test_a_signer_that_signs_something_else_stops_the_wallet_and_nothing_of_it_is_sent(
    line: Line, refund: str
) -> None:
    waiting, sent = line.queue("dep_2"), len(line.chain.broadcasts)
    line.chain.signs_wrongly = True

    line.turn()

    assert (line.pause_reason(), line.nonce(waiting)) == ("bytes_differ", None)
    assert line.hashes(waiting) == []
    assert len(line.chain.broadcasts) == sent


def test_code_at_the_wallet_stops_it(line: Line, refund: str) -> None:
    line.chain.has_code = True
    waiting = line.queue("dep_2")

    line.turn()

    assert (line.pause_reason(), line.nonce(waiting)) == ("wallet_has_code", None)


def test_while_endpoints_disagree_nothing_gets_a_nonce_and_the_rest_goes_on(line: Line, refund: str) -> None:
    waiting = line.queue("dep_2")
    line.chain.disputes = "nonces"
    line.turn()
    assert (line.pause_reason(), line.nonce(waiting)) == (None, None)

    line.chain.mine(line.hashes(refund)[0])
    line.turn()
    assert line.status(refund)[0] == RefundStatus.REFUNDED

    line.chain.disputes = ""
    line.turn()
    assert line.nonce(waiting) == 1


def test_endpoints_that_disagree_for_long_stop_the_wallet(line: Line, refund: str) -> None:
    line.chain.disputes = "nonces"
    line.turn()
    line.house.clock.advance(299)
    line.turn()
    assert line.pause_reason() is None

    line.house.clock.advance(2)
    line.turn()

    assert line.pause_reason() == "endpoints_disagree"


def test_endpoints_that_agree_again_begin_the_wait_anew(line: Line, refund: str) -> None:
    for _ in range(3):
        line.chain.disputes = "nonces"
        line.turn()
        line.house.clock.advance(200)
        line.chain.disputes = ""
        line.turn()

    assert line.pause_reason() is None


def test_a_nonce_used_elsewhere_calls_a_person_and_stops_the_wallet_and_pays_nothing(line: Line, lost: str) -> None:
    line.queue("dep_2")
    line.chain.nonce = 1
    line.turn()
    assert line.pause_reason() is None
    line.house.clock.advance(601)

    report = line.turn()

    assert line.status(lost) == UNKNOWN_TO_US
    assert (line.pause_reason(), lost in report.changed) == ("key_used_elsewhere", True)
    evidence = next(it["evidence"] for it in line.house.views.open_findings() if it["kind"] == "wallet_paused")
    assert (evidence["nonce"], evidence["finalized_nonces"], evidence["tx_hash"]) == (0, [1, 1], "0xf0")
    assert line.house.books() == {"held": 4000}
    assert len(line.stored(lost)) == 1


@pytest.mark.parametrize("missing", ["time", "proof", "finality", "one moment"])
def test_without_all_proofs_a_nonce_is_not_lost(line: Line, lost: str, missing: str) -> None:
    line.turn()
    if missing == "proof":
        line.chain.foreign.clear()
    elif missing == "finality":
        line.chain.nonce_finalized = 0
    elif missing == "one moment":  # for once an endpoint did not answer
        del line.chain.foreign[0]
        line.turn()
        line.chain.foreign[0] = FOREIGN
    line.house.clock.advance(599 if missing == "time" else 601)

    line.turn()

    assert line.pause_reason() is None
    assert line.status(lost)[0] == RefundStatus.PAYING


def test_a_wallet_with_a_lost_nonce_starts_only_after_a_person_closed_the_payout(line: Line, lost: str) -> None:
    line.turn()
    line.house.clock.advance(601)
    line.turn()
    with pytest.raises(Conflict) as refused:
        start(line, "ann")
    assert refused.value.rule == "no_lost_nonce"

    line.house.resolve(lost, ResolutionAction.CANCEL_NONCE)
    line.turn()

    assert line.status(lost)[1:] == (StatusReason.PAYOUT_CANCELED, PayoutStatus.CANCELED)
    assert len(line.stored(lost)) == 1
    assert not start(line, "ann", "bob")
    assert line.pause_reason() is None


def cancelled(line: Line, lost: str) -> None:
    """Let the proofs hold for long, and a person cancel what can never land."""
    line.turn()
    line.house.clock.advance(601)
    line.turn()
    line.house.resolve(lost, ResolutionAction.CANCEL_NONCE)
    line.turn()
    line.steps.read_records(lost)
    line.turn()
    assert line.status(lost)[2] == PayoutStatus.CANCELED


def test_a_payout_that_foreign_use_closed_is_watched_as_deep_as_any_other_before_it_is_paid_anew(
    line: Line, lost: str
) -> None:
    line.chain.foreign_transfers["0xf0"] = STOLEN
    line.chain.foreign[0] = FOREIGN.model_copy(update={"final_block": 8, "buried_block": 4})
    cancelled(line, lost)
    with pytest.raises(Conflict) as refused:
        line.house.resolve(lost, ResolutionAction.RETRY)
    assert refused.value.rule == "no_live_payout"

    line.chain.foreign[0] = FOREIGN.model_copy(update={"final_block": 12, "buried_block": 7})
    line.turn()
    with pytest.raises(Conflict):
        line.house.resolve(lost, ResolutionAction.RETRY)
    line.chain.foreign[0] = FOREIGN.model_copy(update={"final_block": 12, "buried_block": 8})

    assert line.turn().open_payouts == 0
    line.house.resolve(lost, ResolutionAction.RETRY)


def test_a_foreign_use_that_leaves_its_final_block_has_its_nonce_closed_by_a_cancel(line: Line, lost: str) -> None:
    line.chain.foreign_transfers["0xf0"] = STOLEN
    cancelled(line, lost)
    line.chain.foreign.clear()
    line.chain.nonce = line.chain.nonce_finalized = 0

    line.turn()

    assert [it.purpose for it in line.stored(lost)] == ["pay", "cancel"]
    with pytest.raises(Conflict):
        line.house.resolve(lost, ResolutionAction.RETRY)


def test_where_nobody_can_show_what_used_the_nonce_a_person_must_say_that_it_did_not_pay(
    line: Line, lost: str
) -> None:
    cancelled(line, lost)
    line.chain.foreign[0] = FOREIGN.model_copy(update={"buried_block": 4})
    line.turn()

    with pytest.raises(Conflict) as refused:
        line.house.resolve(lost, ResolutionAction.RETRY)

    assert refused.value.rule == "no_moved_payout"


def test_what_waits_behind_a_lost_nonce_is_sent_and_outbid(line: Line, lost: str) -> None:
    line.chain.foreign_transfers["0xf0"] = STOLEN
    cancelled(line, lost)
    start(line, "ann", "bob")
    behind = line.queue("dep_2")
    line.turn()

    line.wait()
    line.turn()

    assert line.chain.sent.keys() >= set(line.hashes(behind))
    assert len(line.hashes(behind)) == 2


def test_two_people_start_a_wallet_and_one_does_not(line: Line, refund: str) -> None:
    line.chain.has_code = True
    line.turn()
    line.chain.has_code = False

    assert start(line, "ann", "ann")
    assert line.pause_reason() == "wallet_has_code"
    assert not start(line, "bob")

    assert (line.pause_reason(), line.house.findings()) == (None, [])
    assert line.house.trail_is_whole()


def test_words_from_before_a_pause_do_not_start_the_wallet_after_it(line: Line, refund: str) -> None:
    rails = Rails(line.house.database)
    rails.stop(Rail.CRYPTO, "strange", operator="vera", chain_id=CHAIN_ID)
    start(line, "ann")
    line.chain.has_code = True
    line.turn()

    assert start(line, "bob")
    assert line.pause_reason() == "wallet_has_code"


def test_a_wallet_whose_cause_stands_pauses_again(line: Line, refund: str) -> None:
    line.chain.has_code = True
    line.turn()
    start(line, "ann", "bob")
    waiting = line.queue("dep_2")

    line.turn()

    assert (line.pause_reason(), line.nonce(waiting)) == ("wallet_has_code", None)


def test_a_chain_that_people_stopped_assigns_nothing_and_begins_nothing(line: Line) -> None:
    waiting = line.queue()
    Rails(line.house.database).stop(Rail.CRYPTO, "strange", operator="vera", chain_id=CHAIN_ID)
    second = line.queue("dep_2")

    line.turn()

    assert line.nonce(waiting) is None
    assert line.house.see(second)["status_reason"] == StatusReason.RAIL_STOPPED
    assert not start(line, "ann", "bob")
    line.turn()
    assert line.nonce(waiting) == 0


def test_another_chain_that_is_stopped_stops_nothing_here(line: Line) -> None:
    waiting = line.queue()
    Rails(line.house.database).stop(Rail.CRYPTO, "strange", operator="vera", chain_id=CHAIN_ID + 1)

    line.turn()

    assert line.nonce(waiting) == 0


def test_a_token_that_moved_something_else_is_not_paid_and_stops_the_wallet(line: Line, refund: str) -> None:
    tx_hash = line.hashes(refund)[0]
    line.chain.mine(tx_hash)
    seen = line.chain.mined[tx_hash]
    line.chain.mined[tx_hash] = seen.model_copy(update={"succeeded": False, "moved_otherwise": "9900 of 10000"})

    line.turn()

    assert line.status(refund)[1:] == (StatusReason.PAYOUT_REVERTED, PayoutStatus.REVERTED)
    assert line.pause_reason() == "moved_otherwise"
    assert set(line.house.findings()) == {"payout_reverted", "dead_payout_moved", "wallet_paused"}
    assert line.house.books() == {"held": 2000}
    with pytest.raises(Conflict):
        line.house.resolve(refund, ResolutionAction.RETRY)


def test_an_attempt_that_reverted_and_left_its_block_is_closed_and_never_sent_again(line: Line, refund: str) -> None:
    (tx_hash,) = line.hashes(refund)
    line.chain.mines_without_moving = True
    line.chain.mine(tx_hash, is_buried=False)
    line.turn()
    assert line.status(refund)[2] == PayoutStatus.REVERTED
    line.chain.reorg(tx_hash)
    line.chain.broadcasts.clear()
    line.chain.fee_cap = 1  # for a while nothing can be outbid
    line.turn()
    assert line.chain.broadcasts == []
    line.chain.fee_cap = 1000

    line.turn()

    with pytest.raises(Conflict) as refused:
        line.house.resolve(refund, ResolutionAction.RETRY)
    assert refused.value.rule == "no_live_payout"
    assert [it.purpose for it in line.stored(refund)] == ["pay", "cancel"]
    assert line.chain.broadcasts == [line.hashes(refund)[1]]
    line.chain.mines_without_moving = False
    line.chain.mine(line.hashes(refund)[1])
    line.turn()
    assert (SENDER, COIN) not in line.chain.moved()
    line.house.resolve(refund, ResolutionAction.RETRY)
    line.house.clock.advance(timedelta(minutes=1).total_seconds())
