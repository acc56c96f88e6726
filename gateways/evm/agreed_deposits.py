"""What several endpoints say of one deposit, made into one answer: the least settled, and every doubt."""

from collections.abc import Sequence

from domain.payments import ChainPayment, Settlement
from gateways.evm.agreement import Answer, Endpoints

_FOUND = (Settlement.FAILED, Settlement.FINAL)


def agreed_deposit(endpoints: Endpoints, what: str, answers: Sequence[Answer[ChainPayment]]) -> ChainPayment:
    """Return what all endpoints bear out; `EndpointsDisagree` where they contradict each other.

    Who has not got as far says that the deposit is missing or pending, and so it is pending. Of a settled one block,
    outcome and refusals must be the same. Sender and amount too, unless one that doubts cannot tell: then nobody can.
    """
    payments = [it.value for it in answers]
    if all(it.settlement == Settlement.MISSING for it in payments):
        return payments[0]
    unsettled = [it for it in payments if it.settlement not in _FOUND]
    if unsettled:
        blocks = {it.block_number for it in payments}
        return ChainPayment(settlement=Settlement.PENDING, block_number=blocks.pop() if len(blocks) == 1 else None)
    for name in ("settlement", "block_number", "refuse"):
        endpoints.same(f"{name} of {what}", [Answer(it.member, getattr(it.value, name)) for it in answers])
    told = {name: _told(endpoints, what, name, answers) for name in ("sender", "amount_base_units")}
    review = tuple(dict.fromkeys(reason for it in payments for reason in it.review))
    fullest = max(payments, key=lambda it: len(it.review))
    return fullest.model_copy(update={**told, "review": review})


def _told(endpoints: Endpoints, what: str, name: str, answers: Sequence[Answer[ChainPayment]]) -> object:
    """Return a field that all tell alike, or None where one that has doubts of its own does not tell it."""
    values = [Answer(it.member, getattr(it.value, name)) for it in answers]
    known = [it for it in values if it.value is not None]
    doubting = [it for it in answers if getattr(it.value, name) is None and it.value.review]
    if len(known) + len(doubting) == len(values) and doubting:
        if known:
            endpoints.same(f"{name} of {what}", known)
        return None
    return endpoints.same(f"{name} of {what}", values)
