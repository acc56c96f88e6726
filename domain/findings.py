"""What a person may have to look at, and what they may do about it: two closed lists, joined by one table."""

from collections.abc import Mapping
from enum import StrEnum
from typing import NamedTuple

from domain.differences import DifferenceKind
from domain.refunds import END_STATES, RefundStatus


class FindingKind(StrEnum):
    """What was found; explained in the glossary. The kinds up to `refunded_outside` are a refund's own reasons."""

    ORDERS_PENDING = "orders_pending"
    PAYMENT_UNSETTLED = "payment_unsettled"
    RAIL_STOPPED = "rail_stopped"
    FACTS_UNAVAILABLE = "facts_unavailable"
    ROUTE_UNKNOWN = "route_unknown"
    PAYOUT_UNKNOWN = "payout_unknown"
    PAYOUT_REFUSED = "payout_refused"
    PAYOUT_FAILED = "payout_failed"
    PAYOUT_CANCELED = "payout_canceled"
    PAYOUT_REVERTED = "payout_reverted"
    PAYOUT_REORGED = "payout_reorged"
    PAYOUT_DISPUTED = "payout_disputed"
    DISPUTE_LOST = "dispute_lost"
    REFUNDED_OUTSIDE = "refunded_outside"
    NEEDS_ATTENTION = "needs_attention"
    OVERDUE_REMINDER = "overdue_reminder"
    OVERDUE_ESCALATION = "overdue_escalation"
    PAYMENT_WENT_BACK = "payment_went_back"
    DEAD_PAYOUT_MOVED = "dead_payout_moved"
    LIMIT_REACHED = "limit_reached"
    PAYOUT_DELAYED = "payout_delayed"
    PAYOUT_STUCK = "payout_stuck"
    ORDER_SHORTFALL = "order_shortfall"
    WALLET_PAUSED = "wallet_paused"
    WALLET_LOW = "wallet_low"
    RAIL_STOP = "rail_stop"
    HOOK_MISDIRECTED = "hook_misdirected"
    FRAUD_WARNING = "fraud_warning"
    BALANCE_SHORT = "balance_short"
    DEADLINE_HALF = "deadline_half"
    DEADLINE_THREE_QUARTERS = "deadline_three_quarters"
    DEADLINE_NINE_TENTHS = "deadline_nine_tenths"
    # What a reconciliation finds: the kinds of difference.
    PAID_NOT_BOOKED = "paid_not_booked"
    BOOKED_NOT_PAID = "booked_not_paid"
    AMOUNT_DIFFERS = "amount_differs"
    DESTINATION_DIFFERS = "destination_differs"
    PAID_TWICE = "paid_twice"
    UNOWNED_PAYMENT = "unowned_payment"
    DEPOSIT_GONE = "deposit_gone"
    HOLD_WITHOUT_REFUND = "hold_without_refund"
    REFUND_WITHOUT_PROGRESS = "refund_without_progress"
    BOOKS_UNBALANCED = "books_unbalanced"


# Marks of the time to pay, each more urgent than the one before.
DEADLINES = (
    FindingKind.DEADLINE_HALF,
    FindingKind.DEADLINE_THREE_QUARTERS,
    FindingKind.DEADLINE_NINE_TENTHS,
)

OVERDUE: Mapping[str, FindingKind] = {
    "reminder": FindingKind.OVERDUE_REMINDER,
    "escalation": FindingKind.OVERDUE_ESCALATION,
}


def kind_of(reason: str | None) -> FindingKind:
    """Return the kind under which a refund's reason is found; an unforeseen reason must not stop a refund."""
    return next((kind for kind in FindingKind if kind == reason), FindingKind.NEEDS_ATTENTION)


class Remedy(StrEnum):
    """What a person may do; explained in the glossary."""

    LOOK_AGAIN = "look_again"
    RETRY = "retry"
    CANCEL_NONCE = "cancel_nonce"
    PAID_OUTSIDE = "paid_outside"
    GIVE_UP = "give_up"
    ACCEPT_LOSS = "accept_loss"
    DECIDE = "decide"
    CONFIRM_OWNERSHIP = "confirm_ownership"
    DECIDE_ORDER = "decide_order"
    START_RAIL = "start_rail"
    STOP_RAIL = "stop_rail"
    RAISE_LIMIT = "raise_limit"
    MEND_PROVIDER = "mend_provider"
    MEND_HOOK = "mend_hook"
    ANSWER_DISPUTE = "answer_dispute"
    SETTLE_ACCOUNT = "settle_account"
    SEEK_MONEY = "seek_money"
    SECURE_WALLET = "secure_wallet"
    FUND_WALLET = "fund_wallet"
    TOP_UP_BALANCE = "top_up_balance"
    WAKE_RUN = "wake_run"
    MEND_BOOKS = "mend_books"
    CLOSE = "close"


class Advice(NamedTuple):
    """A remedy in words, and the call that carries it out; None where it is done outside this service."""

    words: str
    call: tuple[str, str] | None = None
    body: Mapping[str, str] = {}


RESOLUTION = ("POST", "/v1/refunds/{refund_id}/resolution")

ADVICE: Mapping[Remedy, Advice] = {
    Remedy.LOOK_AGAIN: Advice(
        "Ask the card processor or the chain once more what became of it.", RESOLUTION, {"action": "look_again"}
    ),
    Remedy.RETRY: Advice(
        "Pay once more, where the payout is certainly dead; it must be approved anew.",
        RESOLUTION,
        {"action": "retry"},
    ),
    Remedy.CANCEL_NONCE: Advice(
        "Close the nonce of a chain payout by moving nothing under it. Either may still win; once that is final, the "
        "payout is dead.",
        RESOLUTION,
        {"action": "cancel_nonce"},
    ),
    Remedy.PAID_OUTSIDE: Advice(
        "Say, with evidence, that the customer was paid by other means.", RESOLUTION, {"action": "paid_outside"}
    ),
    Remedy.GIVE_UP: Advice("End the refund unpaid; what is held is given back.", RESOLUTION, {"action": "give_up"}),
    Remedy.ACCEPT_LOSS: Advice(
        "Take the loss of a dispute that was lost: the deposit is booked as charged back, and the case is closed.",
        RESOLUTION,
        {"action": "accept_loss"},
    ),
    Remedy.DECIDE: Advice("Approve or reject the refund.", ("POST", "/v1/refunds/{refund_id}/decisions")),
    Remedy.CONFIRM_OWNERSHIP: Advice(
        "Confirm or deny that the requester owns the account.", ("POST", "/v1/refunds/{refund_id}/ownership")
    ),
    Remedy.DECIDE_ORDER: Advice(
        "Let billing charge or cancel the order that is pending on the account, then look again.",
        ("PUT", "/v1/orders/{order_id}"),
    ),
    Remedy.START_RAIL: Advice("Start the rail again; two people are needed.", ("POST", "/v1/rails/{rail}/start")),
    Remedy.STOP_RAIL: Advice(
        "Stop the rail until it is explained; one person may.", ("POST", "/v1/rails/{rail}/stop")
    ),
    Remedy.RAISE_LIMIT: Advice(
        "Wait until the limit is free again, or raise it in the chains file; the refund then goes on by itself."
    ),
    Remedy.MEND_PROVIDER: Advice(
        "See whether the card processor, the node or our keys for them are at fault. Once it is mended look again, "
        "where that is offered; else the refund goes on by itself."
    ),
    Remedy.MEND_HOOK: Advice(
        "Remove the webhook endpoint that does not belong here at the card processor, or mend `REFUNDS_STRIPE_MODE`. "
        "No refund waits for it; once closed, the same mode and account is counted and not told again."
    ),
    Remedy.ANSWER_DISPUTE: Advice("Answer the dispute at the card processor; its end is seen by itself."),
    Remedy.SETTLE_ACCOUNT: Advice("Settle what is owed with the customer, or write it off, in billing."),
    Remedy.SEEK_MONEY: Advice("See where the money is, by the reference, and whether the deposit was paid twice."),
    Remedy.SECURE_WALLET: Advice(
        "Find out what is wrong with the wallet: a restored database, another program with its key, a thief, or an "
        "endpoint that lies. It stays paused until two people start it (`refunds rail start crypto --chain`), as the "
        "runbook says (docs/operations.md)."
    ),
    Remedy.FUND_WALLET: Advice("Send coin to the wallet; its payouts go on by themselves."),
    Remedy.TOP_UP_BALANCE: Advice(
        "Top up the balance at the card processor, by the amount that is short. A refund that waits goes on by "
        "itself; one that was refused is paid by a retry."
    ),
    Remedy.WAKE_RUN: Advice(
        "See whether a worker is at work and Temporal answers (`refunds doctor`), then wake the run, as the runbook "
        "says (docs/operations.md): it looks at the payout and goes on by itself."
    ),
    Remedy.MEND_BOOKS: Advice(
        "Compare the account's postings with its deposits and orders: somebody changed the database by hand, or this "
        "service has a fault. Do not close it before it is explained."
    ),
    Remedy.CLOSE: Advice(
        "Close the finding, with a reason, once the matter is settled.", ("POST", "/v1/findings/{id}/close")
    ),
}

_DEAD = (Remedy.RETRY, Remedy.PAID_OUTSIDE, Remedy.GIVE_UP)
_OVERDUE = (Remedy.DECIDE, Remedy.CONFIRM_OWNERSHIP, Remedy.LOOK_AGAIN, Remedy.WAKE_RUN)

_REMEDIES: Mapping[FindingKind, tuple[Remedy, ...]] = {
    FindingKind.ORDERS_PENDING: (Remedy.DECIDE_ORDER, Remedy.LOOK_AGAIN, Remedy.GIVE_UP),
    FindingKind.PAYMENT_UNSETTLED: (Remedy.MEND_PROVIDER, Remedy.LOOK_AGAIN, Remedy.GIVE_UP),
    FindingKind.RAIL_STOPPED: (Remedy.START_RAIL, Remedy.MEND_PROVIDER),
    FindingKind.FACTS_UNAVAILABLE: (Remedy.MEND_PROVIDER, Remedy.LOOK_AGAIN, Remedy.GIVE_UP),
    FindingKind.ROUTE_UNKNOWN: (Remedy.LOOK_AGAIN, Remedy.PAID_OUTSIDE, Remedy.GIVE_UP),
    FindingKind.PAYOUT_UNKNOWN: (Remedy.LOOK_AGAIN, Remedy.SEEK_MONEY),
    FindingKind.PAYOUT_REFUSED: _DEAD,
    FindingKind.PAYOUT_FAILED: _DEAD,
    FindingKind.PAYOUT_CANCELED: _DEAD,
    FindingKind.PAYOUT_REVERTED: _DEAD,
    FindingKind.PAYOUT_REORGED: (Remedy.LOOK_AGAIN, Remedy.SEEK_MONEY, Remedy.CANCEL_NONCE),
    FindingKind.PAYOUT_DISPUTED: (Remedy.ANSWER_DISPUTE, Remedy.LOOK_AGAIN),
    FindingKind.DISPUTE_LOST: (Remedy.ACCEPT_LOSS, Remedy.SETTLE_ACCOUNT),
    FindingKind.REFUNDED_OUTSIDE: (Remedy.SEEK_MONEY, Remedy.PAID_OUTSIDE, Remedy.GIVE_UP),
    FindingKind.NEEDS_ATTENTION: (Remedy.LOOK_AGAIN, *_DEAD),
    FindingKind.OVERDUE_REMINDER: _OVERDUE,
    FindingKind.OVERDUE_ESCALATION: _OVERDUE,
    FindingKind.PAYMENT_WENT_BACK: (Remedy.SEEK_MONEY, Remedy.SETTLE_ACCOUNT),
    FindingKind.DEAD_PAYOUT_MOVED: (Remedy.SEEK_MONEY, Remedy.PAID_OUTSIDE, Remedy.SETTLE_ACCOUNT),
    FindingKind.LIMIT_REACHED: (Remedy.RAISE_LIMIT,),
    FindingKind.PAYOUT_STUCK: (Remedy.MEND_PROVIDER, Remedy.CANCEL_NONCE),
    FindingKind.PAYOUT_DELAYED: (Remedy.MEND_PROVIDER, Remedy.FUND_WALLET),
    FindingKind.ORDER_SHORTFALL: (Remedy.SETTLE_ACCOUNT,),
    FindingKind.WALLET_PAUSED: (Remedy.SECURE_WALLET, Remedy.START_RAIL),
    FindingKind.WALLET_LOW: (Remedy.FUND_WALLET,),
    FindingKind.RAIL_STOP: (Remedy.START_RAIL,),
    FindingKind.HOOK_MISDIRECTED: (Remedy.MEND_HOOK,),
    FindingKind.FRAUD_WARNING: (Remedy.DECIDE,),
    FindingKind.BALANCE_SHORT: (Remedy.TOP_UP_BALANCE, Remedy.RETRY, Remedy.GIVE_UP),
    FindingKind.DEADLINE_HALF: _OVERDUE,
    FindingKind.DEADLINE_THREE_QUARTERS: _OVERDUE,
    FindingKind.DEADLINE_NINE_TENTHS: _OVERDUE,
    FindingKind.PAID_NOT_BOOKED: (Remedy.LOOK_AGAIN, Remedy.WAKE_RUN, Remedy.SEEK_MONEY),
    FindingKind.BOOKED_NOT_PAID: (Remedy.SEEK_MONEY, Remedy.WAKE_RUN),
    FindingKind.AMOUNT_DIFFERS: (Remedy.SEEK_MONEY, Remedy.SETTLE_ACCOUNT),
    FindingKind.DESTINATION_DIFFERS: (Remedy.STOP_RAIL, Remedy.SEEK_MONEY, Remedy.SECURE_WALLET),
    FindingKind.PAID_TWICE: (Remedy.STOP_RAIL, Remedy.SEEK_MONEY, Remedy.SETTLE_ACCOUNT),
    FindingKind.UNOWNED_PAYMENT: (Remedy.STOP_RAIL, Remedy.SEEK_MONEY, Remedy.SECURE_WALLET),
    FindingKind.DEPOSIT_GONE: (Remedy.STOP_RAIL, Remedy.SEEK_MONEY, Remedy.SETTLE_ACCOUNT),
    FindingKind.HOLD_WITHOUT_REFUND: (Remedy.MEND_BOOKS,),
    FindingKind.REFUND_WITHOUT_PROGRESS: (Remedy.WAKE_RUN, Remedy.MEND_PROVIDER),
    FindingKind.BOOKS_UNBALANCED: (Remedy.MEND_BOOKS,),
}


# What was found of these is money, or the books: it is not settled because the refund has ended.
OUTLIVES_ITS_REFUND = frozenset(
    [
        FindingKind.PAYMENT_WENT_BACK,
        FindingKind.DEAD_PAYOUT_MOVED,
        FindingKind.ORDER_SHORTFALL,
        *(FindingKind(it) for it in DifferenceKind),
    ]
)

_RESOLVED_IN = frozenset([RefundStatus.NEEDS_ATTENTION])
_OPEN = frozenset(RefundStatus) - END_STATES
_MOVED_BY_A_RUN = frozenset(
    [
        RefundStatus.CHECKING,
        RefundStatus.AWAITING_ORDERS,
        RefundStatus.PAYING,
        RefundStatus.CONFIRMING,
        RefundStatus.REFUNDED,
    ]
)

# Where a refund must stand for a remedy to be of use; elsewhere the service refuses it, or it moves nothing.
_USED_IN: Mapping[Remedy, frozenset[RefundStatus]] = {
    Remedy.LOOK_AGAIN: _RESOLVED_IN,
    Remedy.RETRY: _RESOLVED_IN,
    Remedy.CANCEL_NONCE: _RESOLVED_IN | {RefundStatus.PAYING, RefundStatus.CONFIRMING},
    Remedy.PAID_OUTSIDE: _RESOLVED_IN,
    Remedy.GIVE_UP: _RESOLVED_IN,
    Remedy.ACCEPT_LOSS: _RESOLVED_IN,
    Remedy.DECIDE: frozenset([RefundStatus.AWAITING_APPROVAL]),
    Remedy.CONFIRM_OWNERSHIP: frozenset([RefundStatus.AWAITING_OWNERSHIP]),
    Remedy.WAKE_RUN: _MOVED_BY_A_RUN,
    Remedy.DECIDE_ORDER: _OPEN,
    Remedy.MEND_PROVIDER: _OPEN,
    Remedy.START_RAIL: _OPEN,
    Remedy.FUND_WALLET: _OPEN,
    Remedy.TOP_UP_BALANCE: _OPEN,
    Remedy.ANSWER_DISPUTE: _OPEN,
}


def remedies(kind: FindingKind, status: RefundStatus | None = None) -> tuple[Remedy, ...]:
    """Return what may be done about a kind, the most likely first; closing it comes last for all.

    `status` is where the finding's refund stands now, None where it has none: a finding stays open until a person
    closes it, and by then its refund may have moved on to where some remedies are refused.
    """
    useful = (it for it in _REMEDIES[kind] if status is None or status in _USED_IN.get(it, frozenset(RefundStatus)))
    return (*useful, Remedy.CLOSE)
