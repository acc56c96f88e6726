"""A dry run's one step: read the payment and judge, without writing anything anywhere."""

from typing import Protocol

from temporalio import activity

from activities.errors import translated
from activities.payments import PaymentReader
from domain.checks import CheckOutcome, CheckRequest
from domain.payments import PaymentFacts, PaymentRef

CHARGES = ("ch_", "py_")


class Previews(Protocol):
    """Where a request is judged without a row."""

    def payment(self, check: CheckRequest) -> PaymentRef | None: ...

    def judge(self, check: CheckRequest, facts: PaymentFacts | None) -> CheckOutcome: ...


class CheckActivities:
    """Answers what would become of a request. Only a worker can: it alone holds the providers' keys."""

    def __init__(self, *, reader: PaymentReader, previews: Previews) -> None:
        self._reader = reader
        self._previews = previews

    @activity.defn(no_thread_cancel_exception=True)
    @translated
    def check_only(self, check: CheckRequest) -> CheckOutcome:
        """Resolve the proof, read the payment of the deposit that is meant, and judge it."""
        proof = check.payment_proof
        if proof is not None and proof.startswith(CHARGES):
            resolved = self._reader.card.resolve_payment_intent(proof)
            check = check.model_copy(update={"payment_proof": resolved or proof})
        payment = self._previews.payment(check)
        facts = None if payment is None else self._reader.read(payment, refund_id=check.refund_id or "check")
        return self._previews.judge(check, facts)
