"""What is told of a refund after it was made: how the bank shows it, every dispute, and warnings of fraud."""

import pytest

from domain.disputes import DisputeStage, FraudWarning, SeenDispute
from domain.payouts import BankReference, CardDestination, PayoutStatus
from domain.refunds import StatusReason
from gateways.stripe.answers import Refund
from gateways.stripe.gateway import StripeGateway
from tests.gateways.stripe_cases import payout_of
from tests.gateways.stripe_endpoints import Simulator


def test_the_banks_reference_is_told_as_soon_as_it_comes(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    made = gateway.ensure_refund(payout_of(payment))
    simulator.control(
        f"refunds/{made.provider_ref}/arn", reference="74537604221222132710572", reference_status="available"
    )

    seen = gateway.look_at_refund(payout_of(payment))

    assert made.bank is not None
    assert (made.bank.destination_type, made.bank.reference) == (
        CardDestination.REFUND,
        None,
    )
    assert seen is not None
    assert seen.bank == BankReference(
        destination_type=CardDestination.REFUND,
        reference="74537604221222132710572",
        reference_status="available",
        reference_type="acquirer_reference_number",
    )


def test_a_reversal_is_told_from_a_refund_and_has_no_reference(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay()
    made = gateway.ensure_refund(payout_of(payment))
    simulator.control(f"refunds/{made.provider_ref}/reversal")

    seen = gateway.look_at_refund(payout_of(payment))

    assert seen is not None
    assert seen.bank == BankReference(destination_type=CardDestination.REVERSAL)


@pytest.mark.parametrize(
    "details",
    [None, [], {"card": None}, {"card": {"type": "by_pigeon"}}, {"card": {"type": []}}],
    ids=["absent", "a list", "no card", "another word", "no word"],
)
def test_what_cannot_be_read_of_the_bank_never_hides_the_refund(details: object) -> None:
    refund = Refund.model_validate(
        {
            "object": "refund",
            "id": "re_1",
            "status": "succeeded",
            "amount": 2000,
            "currency": "usd",
            "payment_intent": "pi_1",
            "destination_details": details,
        }
    )

    assert refund.bank is None


def test_a_reference_that_is_none_is_not_taken_over() -> None:
    card = {"type": "refund", "reference": "<b>pay here</b>", "reference_status": "available"}
    refund = Refund(
        object="refund",
        id="re_1",
        status="succeeded",
        amount=1,
        currency="usd",
        payment_intent="pi_1",
        destination_details={"card": card},
    )

    assert refund.bank is not None
    assert refund.bank.reference is None


def test_every_dispute_of_the_payment_is_told_with_what_was_withdrawn_for_it(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()
    gateway.ensure_refund(payout_of(payment))
    simulator.control("clock", advance_seconds=300)
    charge = f"charges/{payment.charge}/dispute"
    first = simulator.control(charge, status="warning_needs_response")["id"]
    inquiry = gateway.look_at_refund(payout_of(payment))
    simulator.control(f"disputes/{first}/close")
    second = simulator.control(charge, status="needs_response", amount=2500)["id"]

    seen = gateway.look_at_refund(payout_of(payment))

    assert inquiry is not None
    assert [it.stage for it in inquiry.disputes] == [DisputeStage.INQUIRY]
    assert inquiry.disputes[0].withdrawn_minor == 0
    assert seen is not None
    assert (seen.status, seen.reason) == (PayoutStatus.SUCCEEDED, StatusReason.PAYOUT_DISPUTED)
    assert {it.dispute_id: it for it in seen.disputes} == {
        first: SeenDispute(
            dispute_id=first,
            stage=DisputeStage.CLOSED,
            status="warning_closed",
            amount_minor=payment.amount_minor,
            currency="USD",
        ),
        second: SeenDispute(
            dispute_id=second,
            stage=DisputeStage.CHARGEBACK,
            status="needs_response",
            amount_minor=2500,
            currency="USD",
            withdrawn_minor=2500,
        ),
    }


@pytest.mark.parametrize(
    ("acts", "stage", "reason", "withdrawn"),
    [
        (["escalate"], DisputeStage.CHARGEBACK, StatusReason.PAYOUT_DISPUTED, True),
        (["escalate", "lose"], DisputeStage.LOST, StatusReason.DISPUTE_LOST, True),
        (["escalate", "review", "win"], DisputeStage.WON, None, False),
        (["close"], DisputeStage.CLOSED, None, False),
    ],
    ids=["escalated", "lost", "won", "closed"],
)
def test_an_inquiry_is_followed_to_its_end(
    simulator: Simulator,
    gateway: StripeGateway,
    acts: list[str],
    stage: DisputeStage,
    reason: StatusReason | None,
    withdrawn: bool,
) -> None:
    payment = simulator.pay()
    gateway.ensure_refund(payout_of(payment))
    simulator.control("clock", advance_seconds=300)
    dispute = simulator.control(f"charges/{payment.charge}/dispute", status="warning_needs_response")["id"]
    for act in acts:
        simulator.control(f"disputes/{dispute}/{act}")

    seen = gateway.look_at_refund(payout_of(payment))

    assert seen is not None
    assert (seen.status, seen.reason) == (PayoutStatus.SUCCEEDED, reason)
    assert [(it.stage, it.withdrawn_minor > 0) for it in seen.disputes] == [(stage, withdrawn)]


def test_an_inquiry_into_a_refund_that_is_still_pending_is_told(simulator: Simulator, gateway: StripeGateway) -> None:
    payment = simulator.pay(card="pm_card_pendingRefund")
    gateway.ensure_refund(payout_of(payment))
    simulator.control(f"charges/{payment.charge}/dispute", status="warning_needs_response")

    seen = gateway.look_at_refund(payout_of(payment))

    assert seen is not None
    assert (seen.status, seen.reason) == (PayoutStatus.PENDING, StatusReason.PAYOUT_DISPUTED)
    assert seen.detail == "processing"


def test_early_fraud_warnings_are_read_and_change_nothing_about_the_refund(
    simulator: Simulator, gateway: StripeGateway
) -> None:
    payment = simulator.pay()
    assert gateway.read_fraud_warnings(payment.intent) == ()
    warning = simulator.control(f"charges/{payment.charge}/early_fraud_warning", fraud_type="misc")["id"]

    (told,) = gateway.read_fraud_warnings(payment.intent)
    outcome = gateway.ensure_refund(payout_of(payment))

    assert told == FraudWarning(warning_id=warning, fraud_type="misc", is_actionable=True)
    assert (outcome.status, outcome.reason) == (PayoutStatus.SUCCEEDED, None)
    assert [it.is_actionable for it in gateway.read_fraud_warnings(payment.intent)] == [False]
