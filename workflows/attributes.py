"""What Temporal's own lists and pages show of a refund: search attributes and a line on what it waits for."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from temporalio.common import SearchAttributeKey, SearchAttributeUpdate

from domain.refunds import RefundState

STATUS = SearchAttributeKey.for_keyword("RefundStatus")
RAIL = SearchAttributeKey.for_keyword("RefundRail")
ACCOUNT = SearchAttributeKey.for_keyword("RefundAccount")
DEPOSIT = SearchAttributeKey.for_keyword("RefundDeposit")
TICKET = SearchAttributeKey.for_keyword("RefundTicket")
CURRENCY = SearchAttributeKey.for_keyword("RefundCurrency")
AMOUNT_MINOR = SearchAttributeKey.for_int("RefundAmountMinor")
DUE = SearchAttributeKey.for_datetime("RefundDue")

ALL = (STATUS, RAIL, ACCOUNT, DEPOSIT, TICKET, CURRENCY, AMOUNT_MINOR, DUE)


def changes(before: RefundState | None, now: RefundState) -> Sequence[SearchAttributeUpdate[Any]]:
    """Return the search attributes that changed, so that one upsert tells them all."""
    old, new = _values(before), _values(now)
    keywords = (STATUS, RAIL, ACCOUNT, DEPOSIT, TICKET, CURRENCY)
    updates: list[SearchAttributeUpdate[Any]] = [
        key.value_set(str(new[key.name])) for key in keywords if new[key.name] not in (None, old[key.name])
    ]
    amount, due = new[AMOUNT_MINOR.name], new[DUE.name]
    if isinstance(amount, int) and amount != old[AMOUNT_MINOR.name]:
        updates.append(AMOUNT_MINOR.value_set(amount))
    if due != old[DUE.name]:
        updates.append(DUE.value_set(due) if isinstance(due, datetime) else DUE.value_unset())
    return updates


def _values(refund: RefundState | None) -> dict[str, str | int | datetime | None]:
    if refund is None:
        return dict.fromkeys(key.name for key in ALL)
    return {
        STATUS.name: refund.status.value,
        RAIL.name: refund.rail.value if refund.rail else None,
        ACCOUNT.name: refund.account_id,
        DEPOSIT.name: refund.deposit_id,
        TICKET.name: refund.ticket,
        CURRENCY.name: refund.currency,
        AMOUNT_MINOR.name: refund.amount_minor,
        DUE.name: refund.due_at,
    }


def in_words(refund: RefundState) -> str:
    """Return what a person reads in Temporal's pages: the state, why, and who must move next."""
    lines = [f"**{refund.status}**" + (f" ({refund.reason})" if refund.reason else "")]
    if refund.waiting_for:
        lines.append(f"waiting for: {refund.waiting_for}")
    if refund.deposit_id:
        lines.append(f"deposit {refund.deposit_id}, attempt {refund.attempt}")
    if refund.digest:
        lines.append(f"digest {refund.digest}")
    return "\n\n".join(lines)
