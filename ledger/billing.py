"""What billing tells, as the ledger takes it, and the rows it becomes."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from domain.eligibility import AccountStatus, DepositState
from domain.money import Money
from domain.payments import CardPaymentRef, ChainPaymentRef, PaymentRef
from domain.refunds import Rail
from ledger.tables import Deposit


class AccountRecord(BaseModel):
    """An account as billing tells it."""

    model_config = ConfigDict(frozen=True)

    id: str
    username: str
    email: str | None = None
    status: AccountStatus = AccountStatus.ACTIVE


class DepositRecord(BaseModel):
    """A deposit as billing tells it: what was credited, and the payment behind it."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    credited: Money
    paid_at: datetime
    terms_version: str | None = None
    payment: PaymentRef


class OrderRecord(BaseModel):
    """An order as billing tells it. `is_delivered`: it happened already and is booked in any case."""

    model_config = ConfigDict(frozen=True)

    id: str
    account_id: str
    product: str
    amount: Money
    status: str
    created_at: datetime
    is_delivered: bool = False


def deposit_row(record: DepositRecord) -> Deposit:
    """Return the row of a deposit; a card payment has no chain columns, a crypto payment no card columns."""
    row = Deposit(
        id=record.id,
        account_id=record.account_id,
        amount_minor=record.credited.amount_minor,
        currency=record.credited.currency,
        paid_at=record.paid_at,
        terms_version=record.terms_version,
        rail=record.payment.rail,
        state=DepositState.OPEN.value,
    )
    if isinstance(record.payment, CardPaymentRef):
        row.payment_intent = record.payment.payment_intent
        row.payment_amount_minor = record.payment.amount_minor
        row.payment_currency = record.payment.currency
    else:
        row.chain_id = record.payment.chain_id
        row.tx_hash = record.payment.tx_hash
        row.log_index = record.payment.log_index
        row.claimed_log_index = record.payment.log_index if record.payment.names_its_payment else None
        row.asset = record.payment.asset
        row.amount_base_units = record.payment.amount_base_units
    return row


def weight_minor(deposit: Deposit) -> int:
    """Return the amount by which approvals are weighed: what was credited, or what goes back where that is more.

    What was paid in another currency, or on chain, is weighed by what billing credited for it.
    """
    if deposit.payment_amount_minor is None or deposit.payment_currency != deposit.currency:
        return deposit.amount_minor
    return max(deposit.amount_minor, deposit.payment_amount_minor)


def payment_of(deposit: Deposit) -> PaymentRef:
    """Return the payment behind a deposit's row."""
    if deposit.rail == Rail.CARD:
        return CardPaymentRef.model_validate(
            {
                "payment_intent": deposit.payment_intent,
                "amount_minor": deposit.payment_amount_minor,
                "currency": deposit.payment_currency,
            }
        )
    return ChainPaymentRef.model_validate(
        {
            "chain_id": deposit.chain_id,
            "tx_hash": deposit.tx_hash,
            "log_index": deposit.log_index,
            "asset": deposit.asset,
            "amount_base_units": deposit.amount_base_units,
        }
    )
