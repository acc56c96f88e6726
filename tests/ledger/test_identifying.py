"""Which deposit is meant, and whether whoever asks may have it."""

from datetime import timedelta
from typing import Any

import pytest

from domain.errors import Conflict, InvalidRequest, NotAllowed, WrongState
from domain.payments import ChainPaymentRef
from domain.refunds import OwnershipLevel, RefundStatus, StatusReason, WaitingFor
from ledger.intake import DIRECT
from tests.ledger.scene import CHAIN_ID, COIN, NOON, Scene, policy

MAIL: dict[str, Any] = {"channel": "email", "account": {"username": "user-acct"}}
WAITS_FOR_DEPOSIT = (RefundStatus.AWAITING_OWNERSHIP, StatusReason.DEPOSIT_AMBIGUOUS, WaitingFor.DEPOSIT)
WAITS_FOR_PROOF = (RefundStatus.AWAITING_OWNERSHIP, StatusReason.PROOF_MISSING, WaitingFor.PAYMENT_PROOF)
WAITS_FOR_RIGHT_PROOF = (
    RefundStatus.AWAITING_OWNERSHIP,
    StatusReason.PROOF_MATCHES_NOTHING,
    WaitingFor.PAYMENT_PROOF,
)
WAITS_FOR_OWNERSHIP = (RefundStatus.AWAITING_OWNERSHIP, StatusReason.OWNERSHIP_UNPROVED, WaitingFor.OWNERSHIP)
WAITS_FOR_TIME = (RefundStatus.AWAITING_OWNERSHIP, StatusReason.REQUEST_TIME_OLD, WaitingFor.REQUEST_TIME)
CHECKING = (RefundStatus.CHECKING, None, None)

Stand = tuple[RefundStatus, StatusReason | None, WaitingFor | None]


def identify(scene: Scene, refund: str) -> Stand:
    state, _ = scene.checking.identify(refund)
    return state.status, state.reason, state.waiting_for


@pytest.fixture
def many(scene: Scene) -> Scene:
    """One account with a used, an old, and two good card deposits, and one by crypto."""
    scene.funded(id="used", paid_at=NOON - timedelta(days=12))
    scene.order("o", 2000)
    scene.deposit("old", paid_at=NOON - timedelta(days=40))
    scene.deposit("good", paid_at=NOON - timedelta(days=2))
    scene.deposit("chain", rail="crypto")
    return scene


@pytest.mark.parametrize(
    ("change", "deposit"),
    [
        pytest.param({"deposit_id": "used"}, "used", id="the one that is named"),
        pytest.param({"payment_proof": "pi_old"}, "old", id="the one that is proved"),
        pytest.param({"rail": "crypto"}, "chain", id="the only one of its rail"),
        pytest.param({}, "good", id="the only one that could be paid back"),
    ],
)
def test_the_deposit_that_is_meant_is_found(many: Scene, change: dict[str, Any], deposit: str) -> None:
    refund = many.request(**change)

    assert identify(many, refund) == CHECKING
    assert many.row(refund).deposit_id == deposit


def test_an_only_deposit_is_meant_even_if_it_cannot_be_paid_back(scene: Scene) -> None:
    scene.funded(paid_at=NOON - timedelta(days=40))
    refund = scene.request()

    assert identify(scene, refund) == CHECKING
    assert scene.row(refund).deposit_id == "dep"


def test_where_none_could_be_paid_back_the_newest_gives_the_reasons(many: Scene) -> None:
    many.order("p", 100, created_at=NOON)  # the oldest open money is the old deposit's
    many.order("q", 2000, created_at=NOON)
    refund = many.request()

    assert many.check(refund).status == RefundStatus.INELIGIBLE
    assert many.row(refund).deposit_id == "good"


def test_several_that_could_be_wait_for_the_deposit(many: Scene) -> None:
    many.deposit("good_2", paid_at=NOON - timedelta(days=1))
    refund = many.request()

    assert identify(many, refund) == WAITS_FOR_DEPOSIT
    assert many.row(refund).deposit_id is None


def test_a_hash_that_paid_two_deposits_waits_for_the_deposit(scene: Scene) -> None:
    scene.account()
    tx_hash = "0x" + "ab" * 32
    for log_index in (1, 2):
        payment = ChainPaymentRef(
            chain_id=CHAIN_ID, tx_hash=tx_hash, log_index=log_index, asset="0x1", amount_base_units=COIN
        )
        scene.deposit(f"log_{log_index}", payment=payment)

    unsure = scene.request("1", rail="crypto", payment_proof=tx_hash)
    sure = scene.request("2", rail="crypto", payment_proof=tx_hash, deposit_id="log_2")

    assert identify(scene, unsure) == WAITS_FOR_DEPOSIT
    assert identify(scene, sure) == CHECKING
    assert scene.row(sure).deposit_id == "log_2"


def test_a_charge_is_resolved_to_the_payment_it_belongs_to(many: Scene) -> None:
    refund = many.request(payment_proof="ch_1234")
    assert many.checking.charge_to_resolve(refund) == "ch_1234"

    many.checking.record_resolved_charge(refund, "pi_old")
    many.checking.record_resolved_charge(refund, "pi_old")

    assert many.checking.charge_to_resolve(refund) is None
    assert identify(many, refund) == CHECKING
    assert many.row(refund).deposit_id == "old"
    assert many.events(refund).count("proof.resolved") == 1


@pytest.mark.parametrize("resolved", ["pi_elsewhere", None], ids=["of another account", "unknown to the processor"])
@pytest.mark.parametrize(
    ("channel", "stand"),
    [
        ("ticket", (RefundStatus.REJECTED, StatusReason.PROOF_MATCHES_NOTHING, None)),
        ("email", WAITS_FOR_RIGHT_PROOF),
    ],
    ids=["by ticket", "by mail"],
)
def test_a_charge_of_no_deposit_here_proves_nothing(
    many: Scene, resolved: str | None, channel: str, stand: Stand
) -> None:
    refund = many.request(payment_proof="ch_1234", channel=channel)

    many.checking.record_resolved_charge(refund, resolved)

    assert identify(many, refund) == stand


def test_a_second_ticket_is_told_which_refund_holds_the_deposit(scene: Scene) -> None:
    scene.funded()
    first = scene.awaiting_approval("1")
    second = scene.request("2", deposit_id="dep")

    assert identify(scene, second) == (RefundStatus.DUPLICATE, StatusReason.HELD_BY_OTHER_REFUND, None)
    assert scene.row(second).duplicate_of == first


def test_who_has_not_proved_ownership_is_told_of_no_other_refund(scene: Scene) -> None:
    scene.funded()
    scene.awaiting_approval("1")
    second = scene.request("2", payment_proof="pi_dep", **MAIL)

    assert identify(scene, second) == WAITS_FOR_OWNERSHIP
    assert scene.row(second).duplicate_of is None


def test_once_refunded_the_next_ticket_is_ineligible_and_no_duplicate(scene: Scene) -> None:
    scene.funded()
    scene.refunded("1")

    state = scene.check(scene.request("2"))

    assert (state.status, state.reason) == (RefundStatus.INELIGIBLE, StatusReason.CLEAN_FAILED)


# --- ownership


@pytest.mark.parametrize(
    ("change", "stand"),
    [
        pytest.param({}, WAITS_FOR_PROOF, id="no proof"),
        pytest.param({"deposit_id": "dep"}, WAITS_FOR_PROOF, id="a deposit named and no proof"),
        pytest.param({"payment_proof": "pi_wrong"}, WAITS_FOR_RIGHT_PROOF, id="a wrong proof"),
        pytest.param({"payment_proof": "pi_dep"}, WAITS_FOR_OWNERSHIP, id="the right proof, for a person to judge"),
    ],
)
def test_a_mail_proves_no_ownership_by_itself(scene: Scene, change: dict[str, Any], stand: Stand) -> None:
    scene.funded()

    assert identify(scene, scene.request(**MAIL, **change)) == stand


@pytest.mark.parametrize(
    ("first", "then", "stand"),
    [
        pytest.param({}, "pi_dep", WAITS_FOR_OWNERSHIP, id="the right proof after none"),
        pytest.param({}, "pi_wrong", WAITS_FOR_RIGHT_PROOF, id="a wrong proof after none"),
        pytest.param({"payment_proof": "pi_wrong"}, "pi_dep", WAITS_FOR_OWNERSHIP, id="the right one at last"),
        pytest.param({"payment_proof": "pi_wrong"}, "pi_bad2", WAITS_FOR_RIGHT_PROOF, id="another wrong one"),
    ],
)
def test_a_repeated_mail_may_bring_the_proof_that_lacked(
    scene: Scene, first: dict[str, Any], then: str, stand: Stand
) -> None:
    scene.funded()
    refund = scene.request(**MAIL, **first)
    identify(scene, refund)

    scene.request(**MAIL, payment_proof=then)

    assert scene.row(refund).news_at is not None
    assert scene.read(refund).status == RefundStatus.CHECKING
    assert identify(scene, refund) == stand


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"payment_proof": "pi_wrong"}, id="the same wrong proof again"),
        pytest.param({"payment_proof": "0x" + "ab" * 32}, id="a proof of the other rail"),
        pytest.param({}, id="no proof at all"),
    ],
)
def test_a_repeated_mail_with_nothing_new_leaves_the_wait_as_it_is(scene: Scene, change: dict[str, Any]) -> None:
    scene.funded()
    refund = scene.request(**MAIL, payment_proof="pi_wrong")
    identify(scene, refund)
    before = scene.views.refund(refund)
    scene.clock.advance(timedelta(days=1))

    scene.request(**MAIL, **change)
    scene.read(refund)

    assert scene.views.refund(refund) == before


def test_waking_a_refund_that_waits_for_a_proof_starts_no_new_wait(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(**MAIL, payment_proof="pi_wrong")
    identify(scene, refund)
    due_at = scene.row(refund).due_at
    scene.clock.advance(timedelta(days=3))

    assert scene.read(refund).status == RefundStatus.AWAITING_OWNERSHIP
    assert scene.row(refund).due_at == due_at


@pytest.mark.parametrize("requester_vouches", [True, False], ids=["help desk", "started without the API"])
def test_a_level_that_the_policy_does_not_accept_waits_for_a_person(scene: Scene, requester_vouches: bool) -> None:
    scene.funded()
    if requester_vouches:
        scene.govern(policy(ownership_accepted=[OwnershipLevel.OPERATOR_CONFIRMED]))
        refund = scene.request()
    else:
        refund = scene.request(requester=DIRECT)

    assert identify(scene, refund) == WAITS_FOR_OWNERSHIP


@pytest.mark.parametrize(
    ("age", "stand"),
    [
        pytest.param(timedelta(hours=24), CHECKING, id="a day exactly"),
        pytest.param(timedelta(hours=24, seconds=1), WAITS_FOR_TIME, id="a second more"),
    ],
)
def test_a_request_that_reached_us_late_needs_its_time_confirmed(scene: Scene, age: timedelta, stand: Stand) -> None:
    scene.funded(paid_at=NOON - timedelta(days=3))

    refund = scene.request(requested_at=(NOON - age).isoformat())

    assert identify(scene, refund) == stand


def test_a_confirmed_request_time_is_what_the_window_counts_from(scene: Scene) -> None:
    scene.funded(paid_at=NOON - timedelta(days=20))
    refund = scene.request(requested_at=(NOON - timedelta(days=7)).isoformat())
    identify(scene, refund)

    state = scene.confirm(refund, is_request_time_confirmed=True)

    assert state.status == RefundStatus.CHECKING
    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL


# --- what operators say


def test_a_confirmed_owner_goes_on_to_be_judged(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(**MAIL, payment_proof="pi_dep")
    identify(scene, refund)

    assert scene.confirm(refund).status == RefundStatus.CHECKING
    assert scene.row(refund).ownership == OwnershipLevel.OPERATOR_CONFIRMED
    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL


def test_a_person_does_not_stand_in_for_the_proof_that_a_mail_must_bring(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(**MAIL)
    identify(scene, refund)

    with pytest.raises(Conflict) as refused:
        scene.confirm(refund, deposit_id="dep")

    assert refused.value.rule == "proof_before_confirmation"


def test_a_person_may_name_the_deposit(scene: Scene) -> None:
    scene.funded()
    scene.deposit("dep_2")
    refund = scene.request()
    identify(scene, refund)

    scene.confirm(refund, deposit_id="dep_2")

    assert scene.check(refund).status == RefundStatus.AWAITING_APPROVAL
    assert scene.row(refund).deposit_id == "dep_2"


def test_a_denied_owner_gets_nothing(scene: Scene) -> None:
    scene.funded()
    refund = scene.request(**MAIL, payment_proof="pi_dep")
    identify(scene, refund)

    state = scene.confirm(refund, action="deny")

    assert (state.status, state.reason) == (RefundStatus.REJECTED, StatusReason.OWNERSHIP_DENIED)
    assert scene.balance()["spendable_minor"] == 2000


@pytest.mark.parametrize(
    ("change", "field"),
    [
        pytest.param({}, "deposit_id", id="no deposit where it is not known"),
        pytest.param({"deposit_id": "theirs"}, "deposit_id", id="another's deposit"),
        pytest.param({"deposit_id": "chain"}, "deposit_id", id="a deposit of the other rail"),
        pytest.param({"deposit_id": "dep", "action": "maybe"}, "action", id="neither confirm nor deny"),
    ],
)
def test_a_confirmation_that_cannot_be_right_is_refused(scene: Scene, change: dict[str, Any], field: str) -> None:
    scene.funded()
    scene.deposit("dep_2")
    scene.deposit("chain", rail="crypto")
    scene.account("other")
    scene.deposit("theirs", account_id="other")
    refund = scene.request()
    identify(scene, refund)

    with pytest.raises(InvalidRequest) as refused:
        scene.confirm(refund, **change)

    assert refused.value.field == field


def test_a_wait_for_the_time_is_ended_only_by_the_time(scene: Scene) -> None:
    scene.funded(paid_at=NOON - timedelta(days=3))
    refund = scene.request(requested_at=(NOON - timedelta(days=2)).isoformat())
    identify(scene, refund)

    with pytest.raises(InvalidRequest) as refused:
        scene.confirm(refund)

    assert refused.value.field == "requested_at_confirmed"


@pytest.mark.parametrize("person", ["vera", "desk", "nobody"], ids=["viewer", "help desk", "a stranger"])
def test_who_may_not_decide_may_not_confirm(scene: Scene, person: str) -> None:
    scene.funded()
    refund = scene.request(**MAIL, payment_proof="pi_dep")
    identify(scene, refund)

    with pytest.raises(NotAllowed):
        scene.confirm(refund, person)


def test_ownership_is_confirmed_only_while_it_is_asked_for(scene: Scene) -> None:
    scene.funded()
    refund = scene.awaiting_approval()

    with pytest.raises(WrongState):
        scene.confirm(refund)


def test_facts_are_asked_for_only_once_the_deposit_is_known(scene: Scene) -> None:
    scene.funded()
    scene.deposit("dep_2")
    refund = scene.request()

    _, before = scene.checking.identify(refund)
    scene.confirm(refund, deposit_id="dep")
    _, after = scene.checking.identify(refund)

    assert before is None
    assert after == scene.deposit_record().payment
