"""What several endpoints say of one deposit, as one answer: the best informed speaks where none contradicts."""

from collections.abc import Sequence

from domain.payments import ChainEvidence, ChainPayment, CodeKind, Settlement, TraceKind
from gateways.evm.reasons import SENDER_IS_CUSTODIAL

# What a node may simply not know: old state without an archive, and traces. All else is the same for every node.
_MAY_BE_UNKNOWN: dict[str, object] = dict.fromkeys(
    ("code_then", "sender_nonce", "trace", "paid_by", "candidates", "balance_change_base_units")
)
_NEEDS_A_TRACE: dict[str, object] = {"sender": None, "amount_base_units": None}


def agreed(payments: Sequence[ChainPayment]) -> ChainPayment | None:
    """Return what all answers together say of a deposit, or None where they contradict each other.

    An endpoint that does not call the same block final yet is behind, and then nothing is final. Among answers on a
    final block the one that knows most is taken, old code and traces being what a node may not know; two that know
    equally much must say the same. What forbids a payment counts whoever says it.
    """
    settlements = {payment.settlement for payment in payments}
    if settlements == {Settlement.MISSING, Settlement.PENDING}:
        return next(payment for payment in payments if payment.settlement == Settlement.PENDING)
    if Settlement.PENDING in settlements:
        is_one_block = len({payment.block_number for payment in payments}) == 1
        is_lag = is_one_block and Settlement.MISSING not in settlements
        pending = next(payment for payment in payments if payment.settlement == Settlement.PENDING)
        return pending if is_lag or settlements == {Settlement.PENDING} else None
    if len({_common(payment) for payment in payments}) > 1:
        return None
    most = max(_known(payment) for payment in payments)
    informed = [payment for payment in payments if _known(payment) == most]
    best = informed[0]
    if any(payment != best for payment in informed):
        return None
    if best.evidence is None:
        return best
    hold = dict.fromkeys(code for payment in (best, *payments) for code in payment.hold)
    evidence = best.evidence.model_copy(update={"endpoints": len(payments)})
    told: dict[str, object] = {"evidence": evidence, "hold": tuple(hold)}
    if any(SENDER_IS_CUSTODIAL in payment.review for payment in payments):  # one that counts less must not hide it
        told["review"] = tuple(dict.fromkeys((*best.review, SENDER_IS_CUSTODIAL)))
    if best.evidence.trace is not None and len(informed) == 1 < len(payments):
        told["sender"] = None  # a trace that nobody else can bear out may be shown, and names no payee
    return best.model_copy(update=told)


def _common(payment: ChainPayment) -> str:
    """Write down what every node knows; reasons follow from it, and from what a node may not know."""
    evidence = payment.evidence or ChainEvidence()
    changes: dict[str, object] = {"review": (), "hold": (), "refuse": ()}
    unknown = dict(_MAY_BE_UNKNOWN)
    if evidence.trace is not None:
        changes |= _NEEDS_A_TRACE
        unknown["code_now"] = None
    changes["evidence"] = evidence.model_copy(update=unknown)
    return payment.model_copy(update=changes).model_dump_json()


def _known(payment: ChainPayment) -> tuple[bool, bool]:
    evidence = payment.evidence or ChainEvidence()
    return evidence.trace != TraceKind.UNAVAILABLE, evidence.code_then != CodeKind.FORGOTTEN
