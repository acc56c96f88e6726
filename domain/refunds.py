"""What a refund is: its states, its reasons, what it waits for, and the request that starts it."""

import hashlib
import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from domain.card_numbers import field_with_card_number, own_id, without_card_number
from domain.complaints import sentence
from domain.errors import InvalidRequest

TASK_QUEUE = "refunds"

OWN_IDS = frozenset(["ticket.id", "account.id", "deposit_id"])  # of systems where rows may have long numbers
# A checkout session, an invoice, a refund, a customer, a setup intent, a payment method, a receipt's event.
OTHER_STRIPE_ID = re.compile(r"(cs|in|re|pyr|cus|seti|pm|src|evt|txn|sub|plink)_", re.ASCII)

RFC_3339 = re.compile(r"\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]\d{2}:\d{2})", re.ASCII)


class Rail(StrEnum):
    """How the deposit came, and so how it goes back."""

    CARD = "card"
    CRYPTO = "crypto"


class Channel(StrEnum):
    """How the customer asked: logged in (`ticket`), or by a mail that anyone could have sent."""

    TICKET = "ticket"
    EMAIL = "email"


class RefundStatus(StrEnum):
    """Where a refund stands. The order is the life of a refund."""

    CHECKING = "checking"
    AWAITING_OWNERSHIP = "awaiting_ownership"
    AWAITING_ORDERS = "awaiting_orders"
    AWAITING_APPROVAL = "awaiting_approval"
    PAYING = "paying"
    CONFIRMING = "confirming"
    NEEDS_ATTENTION = "needs_attention"
    REFUNDED = "refunded"
    INELIGIBLE = "ineligible"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"
    DUPLICATE = "duplicate"


UNPAID_ENDS = frozenset(
    [
        RefundStatus.INELIGIBLE,
        RefundStatus.REJECTED,
        RefundStatus.WITHDRAWN,
        RefundStatus.EXPIRED,
        RefundStatus.DUPLICATE,
    ]
)
END_STATES = UNPAID_ENDS | {RefundStatus.REFUNDED}

# From `paying` on nobody can withdraw.
WITHDRAWABLE = frozenset(
    [
        RefundStatus.CHECKING,
        RefundStatus.AWAITING_OWNERSHIP,
        RefundStatus.AWAITING_ORDERS,
        RefundStatus.AWAITING_APPROVAL,
    ]
)

# The arrows of the diagram; the ledger refuses every other one.
ARROWS: dict[RefundStatus, frozenset[RefundStatus]] = {
    RefundStatus.CHECKING: frozenset(
        [
            RefundStatus.AWAITING_OWNERSHIP,
            RefundStatus.AWAITING_ORDERS,
            RefundStatus.AWAITING_APPROVAL,
            RefundStatus.INELIGIBLE,
            RefundStatus.DUPLICATE,
            RefundStatus.NEEDS_ATTENTION,
            RefundStatus.REJECTED,
            RefundStatus.WITHDRAWN,
        ]
    ),
    RefundStatus.AWAITING_OWNERSHIP: frozenset(
        [RefundStatus.CHECKING, RefundStatus.REJECTED, RefundStatus.EXPIRED, RefundStatus.WITHDRAWN]
    ),
    RefundStatus.AWAITING_ORDERS: frozenset(
        [RefundStatus.CHECKING, RefundStatus.INELIGIBLE, RefundStatus.WITHDRAWN, RefundStatus.EXPIRED]
    ),
    RefundStatus.AWAITING_APPROVAL: frozenset(
        [
            RefundStatus.AWAITING_APPROVAL,
            RefundStatus.REJECTED,
            RefundStatus.WITHDRAWN,
            RefundStatus.INELIGIBLE,
            RefundStatus.NEEDS_ATTENTION,
            RefundStatus.PAYING,
        ]
    ),
    RefundStatus.PAYING: frozenset([RefundStatus.CONFIRMING, RefundStatus.NEEDS_ATTENTION]),
    RefundStatus.CONFIRMING: frozenset([RefundStatus.REFUNDED, RefundStatus.NEEDS_ATTENTION]),
    RefundStatus.NEEDS_ATTENTION: frozenset(
        [
            RefundStatus.CONFIRMING,
            RefundStatus.AWAITING_APPROVAL,
            RefundStatus.REFUNDED,
            RefundStatus.REJECTED,
            RefundStatus.CHECKING,
        ]
    ),
    RefundStatus.REFUNDED: frozenset([RefundStatus.NEEDS_ATTENTION]),
}


class StatusReason(StrEnum):
    """Why a refund stands where it stands; a closed list, explained in the glossary."""

    INVALID_REQUEST = "invalid_request"
    OWNERSHIP_UNPROVED = "ownership_unproved"
    OWNERSHIP_DENIED = "ownership_denied"
    PROOF_MISSING = "proof_missing"
    PROOF_MATCHES_NOTHING = "proof_matches_nothing"
    DEPOSIT_AMBIGUOUS = "deposit_ambiguous"
    REQUEST_TIME_OLD = "request_time_old"
    ORDERS_PENDING = "orders_pending"
    PAYMENT_UNSETTLED = "payment_unsettled"
    WINDOW_FAILED = "window_failed"
    UNUSED_FAILED = "unused_failed"
    SETTLED_FAILED = "settled_failed"
    CLEAN_FAILED = "clean_failed"
    ROUTE_FAILED = "route_failed"
    HELD_BY_OTHER_REFUND = "held_by_other_refund"
    APPROVAL_NEEDED = "approval_needed"
    APPROVAL_OVERDUE = "approval_overdue"
    DIGEST_CHANGED = "digest_changed"
    RETRY_APPROVED_ANEW = "retry_approved_anew"
    RAIL_STOPPED = "rail_stopped"
    LIMIT_REACHED = "limit_reached"
    OPERATOR_REJECTED = "operator_rejected"
    CUSTOMER_WITHDREW = "customer_withdrew"
    CUSTOMER_DID_NOT_ANSWER = "customer_did_not_answer"
    ORDERS_UNDECIDED = "orders_undecided"
    PAYMENT_UNDECIDED = "payment_undecided"
    FACTS_UNAVAILABLE = "facts_unavailable"
    ROUTE_UNKNOWN = "route_unknown"
    PAYOUT_SENDING = "payout_sending"
    PAYOUT_ACCEPTED = "payout_accepted"
    PAYOUT_UNKNOWN = "payout_unknown"
    PAYOUT_REFUSED = "payout_refused"
    PAYOUT_FAILED = "payout_failed"
    PAYOUT_CANCELED = "payout_canceled"
    PAYOUT_REVERTED = "payout_reverted"
    PAYOUT_REORGED = "payout_reorged"
    PAYOUT_DISPUTED = "payout_disputed"
    DISPUTE_LOST = "dispute_lost"
    REFUNDED_OUTSIDE = "refunded_outside"
    PAID = "paid"
    PAID_OUTSIDE = "paid_outside"
    LOSS_ACCEPTED = "loss_accepted"
    OPERATOR_GAVE_UP = "operator_gave_up"


class WaitingFor(StrEnum):
    """Who or what must move next; a closed list, explained in the glossary."""

    OWNERSHIP = "ownership"
    PAYMENT_PROOF = "payment_proof"
    DEPOSIT = "deposit"
    REQUEST_TIME = "request_time"
    ORDERS = "orders"
    PAYMENT = "payment"
    APPROVAL = "approval"
    PROVIDER = "provider"
    CHAIN = "chain"
    OPERATOR = "operator"


class OwnershipLevel(StrEnum):
    """How well the requester's ownership of the account is proved."""

    UNVERIFIED = "unverified"
    HELPDESK_ASSERTED = "helpdesk_asserted"
    OPERATOR_CONFIRMED = "operator_confirmed"


def printable(value: str) -> str:
    """Refuse control, bidirectional and lone surrogate characters: ids are compared, shown and hashed."""
    if not value.isprintable() or value != value.strip():
        raise ValueError("must hold printable characters only, without white space at the ends")
    return value


def only_rfc_3339(value: Any) -> Any:
    """Refuse what pydantic would take for a time and people would not: numbers, dates, and texts of digits."""
    if isinstance(value, datetime):
        return value
    if not isinstance(value, str) or not RFC_3339.fullmatch(value):
        raise PydanticCustomError("rfc3339", "must be a time such as 2026-11-20T10:00:00Z")
    return value


def _in_utc(value: datetime) -> datetime:
    """Refuse a moment that UTC cannot show: the calendar's first or last hours, shifted over its end."""
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("must be a moment between the years 1 and 9999 in UTC") from None


def _payment_of_another_name(value: Any) -> Any:
    """Say of ids that people take for payments what is wrong with them: which payment they stand for, nobody asks."""
    if isinstance(value, str) and OTHER_STRIPE_ID.match(value):
        raise PydanticCustomError("payment_id", "must be the payment's own id (pi_, ch_ or py_), not that of another")
    return value


NoCardNumber = AfterValidator(without_card_number)
PlainId = Annotated[str, Field(min_length=1, max_length=128), AfterValidator(printable)]
Identifier = Annotated[PlainId, AfterValidator(own_id)]
TypedIn = Annotated[PlainId, NoCardNumber]  # what people type: a username
TicketSystem = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,31}$"), NoCardNumber]
TicketUrl = Annotated[
    str, Field(max_length=2048, pattern=r"^https?://[^\s<>\"']+$"), AfterValidator(printable), NoCardNumber
]
RequestTime = Annotated[AwareDatetime, BeforeValidator(only_rfc_3339), AfterValidator(_in_utc)]
PaymentProof = Annotated[
    str,
    BeforeValidator(_payment_of_another_name),
    Field(pattern=r"^((pi|ch|py)_[A-Za-z0-9_]{1,250}|0x[0-9a-fA-F]{64})$"),
    NoCardNumber,
]  # a payment intent, a charge, or the hash of a chain transaction
SessionClaim = Annotated[str, Field(max_length=4096), NoCardNumber]  # a JWT
Locale = Annotated[str, Field(pattern=r"^[A-Za-z]{2,3}([_-][A-Za-z0-9]{2,8})*$", max_length=35), NoCardNumber]


class TicketRef(BaseModel):
    """The help desk's reference; one ticket asks for one refund."""

    model_config = ConfigDict(frozen=True)

    system: TicketSystem
    id: Identifier
    url: TicketUrl | None = None

    def __str__(self) -> str:
        return f"{self.system}:{self.id}"


class AccountRef(BaseModel):
    """The account by its id, or by the username that a mail names; exactly one of the two."""

    model_config = ConfigDict(frozen=True)

    id: Identifier | None = None
    username: TypedIn | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if (self.id is None) == (self.username is None):
            raise ValueError("give exactly one of id and username")
        return self


class RefundRequest(BaseModel):
    """One request to pay one deposit back. Unknown fields are ignored here and refused at the HTTP edge."""

    model_config = ConfigDict(frozen=True)

    ticket: TicketRef
    channel: Channel
    account: AccountRef
    rail: Rail
    requested_at: RequestTime
    deposit_id: Identifier | None = None
    payment_proof: PaymentProof | None = None
    session_claim: SessionClaim | None = None
    locale: Locale = "en"

    @classmethod
    def parse(cls, raw: Any) -> "RefundRequest":
        """Read untyped JSON; raise `InvalidRequest` naming the first field that breaks a rule."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise invalid_request(error) from None


def parse_ticket(raw: Any) -> TicketRef:
    """Read only the ticket of untyped JSON: all that a run needs when its row exists already.

    What holds a card number anywhere is refused here, before any step could carry it on.
    """
    if not isinstance(raw, dict):
        raise InvalidRequest("body", "object", "must be one JSON object")
    field = field_with_card_number(raw, OWN_IDS)
    if field is not None:
        raise InvalidRequest(field, "card_number", "must not hold a card number")
    try:
        return TicketRef.model_validate(raw.get("ticket"))
    except ValidationError as error:
        raise invalid_request(error, prefix="ticket") from None


def invalid_request(error: ValidationError, prefix: str = "", whole: str = "body") -> InvalidRequest:
    """Turn pydantic's first complaint into ours, without repeating what was sent."""
    first = error.errors(include_url=False, include_input=False)[0]
    path = ".".join(part for part in [prefix, *(str(part) for part in first["loc"])] if part)
    rule = first["type"]
    return InvalidRequest(path or whole, rule, sentence(path, rule, first["msg"], first.get("ctx", {})))


def refund_id(ticket: TicketRef) -> str:
    """Name the refund of a ticket: `rf_` and 24 hexadecimal digits of a hash of system and ticket id."""
    text = json.dumps([ticket.system, ticket.id], ensure_ascii=True, separators=(",", ":"))
    return f"rf_{hashlib.sha256(text.encode()).hexdigest()[:24]}"


def workflow_id(refund: str) -> str:
    """Name the workflow of a refund."""
    return f"refund/{refund}"


def wallet_workflow_id(chain_id: int, wallet: str) -> str:
    """Name the one workflow that drives a wallet's payouts."""
    return f"wallet/{chain_id}/{wallet}"


class RefundState(BaseModel):
    """What a run knows of its refund: read from the row by every activity, never decided by the run.

    `version` counts the row's changes, so that a run can tell an old answer from a new one.
    """

    model_config = ConfigDict(frozen=True)

    refund_id: str
    version: int
    status: RefundStatus
    reason: StatusReason | None = None
    waiting_for: WaitingFor | None = None
    rail: Rail | None = None
    account_id: str | None = None
    deposit_id: str | None = None
    ticket: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    attempt: int = 1
    approved: bool = False
    is_ending: bool = False
    digest: str | None = None
    chain_id: int | None = None
    wallet: str | None = None
    due_at: datetime | None = None
    watch_over: bool = False
    is_contested: bool = False
    """An operator has it, and its card payout may still change outside: it is looked at meanwhile."""
    pay_mark: int | None = None
    """Which mark of the time to pay comes next; None once it was paid, ended, or all were told of."""
    pay_mark_at: datetime | None = None
