"""What several endpoints say of one deposit, made into one answer: the least settled, and nothing that one denies."""

from collections.abc import Sequence

from domain.payments import ChainPayment, Settlement


def agreed(payments: Sequence[ChainPayment]) -> ChainPayment | None:
    """Return what all answers together say of a deposit, or None where they contradict each other.

    An endpoint that does not call the same block final yet is behind, and then nothing is final.
    """
    settlements = {payment.settlement for payment in payments}
    if settlements == {Settlement.MISSING, Settlement.PENDING}:
        return next(payment for payment in payments if payment.settlement == Settlement.PENDING)
    if Settlement.PENDING in settlements:
        is_one_block = len({payment.block_number for payment in payments}) == 1
        is_lag = is_one_block and Settlement.MISSING not in settlements
        pending = next(payment for payment in payments if payment.settlement == Settlement.PENDING)
        return pending if is_lag or settlements == {Settlement.PENDING} else None
    return payments[0] if all(payment == payments[0] for payment in payments) else None
