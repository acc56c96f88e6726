"""The billing feed over HTTP: accounts, deposits, orders, and what became of the money."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from api.documents import READ, WRITE, problems_of
from api.fields import AmountMinor, Asset, BaseUnits, Body, ChainId, Email, Flag, LogIndex, Moment, TxHash
from api.guard import BILLING, READERS, CallerNow, GuardedRoute, bearer, only
from api.pictures import Balance, CurrencyBalance, Recorded
from api.services import ServicesNow
from domain.eligibility import AccountStatus
from domain.money import NATIVE, Currency, Money
from domain.payments import CardPaymentRef, ChainPaymentRef
from domain.refunds import Identifier, NoCardNumber, TypedIn
from ledger.billing import AccountRecord, DepositRecord, OrderRecord

routes = APIRouter(route_class=GuardedRoute, dependencies=[Depends(bearer)], tags=["billing"])

FEED = problems_of(*WRITE)
Id = Annotated[Identifier, Path(description="the merchant's own id")]


class AccountBody(Body):
    """A customer's account. A PUT says all of it, so `status` is never guessed."""

    username: TypedIn
    email: Email | None = None
    status: AccountStatus


class CardPaymentBody(Body):
    """The card payment behind a deposit; what was paid, where it differs from what was credited."""

    rail: Literal["card"]
    payment_intent: Annotated[str, Field(pattern=r"^pi_[A-Za-z0-9_]{1,250}$"), NoCardNumber]
    amount_minor: AmountMinor | None = None
    currency: Currency | None = None


class ChainPaymentBody(Body):
    """The chain transaction behind a deposit. There is no field for an address to pay to, on purpose.

    `log_index` names a token's transfer log by its index in the block; it must be there where one chain transaction
    paid several deposits.
    """

    rail: Literal["crypto"]
    chain_id: ChainId
    tx_hash: TxHash
    asset: Asset
    amount_base_units: BaseUnits
    log_index: LogIndex | None = None

    @field_validator("log_index")
    @classmethod
    def _is_of_a_token(cls, value: int | None, info: ValidationInfo) -> int | None:
        if value is not None and info.data.get("asset") == NATIVE:
            raise PydanticCustomError("native_has_no_log", "must not be given for the native coin, which has no log")
        return value


class DepositBody(Body):
    """One payment into an account: what was credited, and by which payment."""

    account_id: Identifier
    amount_minor: AmountMinor
    currency: Currency
    paid_at: Moment
    terms_version: Annotated[str, Field(min_length=1, max_length=64), NoCardNumber] | None = None
    payment: Annotated[CardPaymentBody | ChainPaymentBody, Field(discriminator="rail")]

    def to_record(self, deposit_id: str) -> DepositRecord:
        credited = Money(amount_minor=self.amount_minor, currency=self.currency)
        return DepositRecord(
            id=deposit_id,
            account_id=self.account_id,
            credited=credited,
            paid_at=self.paid_at,
            terms_version=self.terms_version,
            payment=_payment(self.payment, credited),
        )


class OrderBody(Body):
    """Something bought from the balance. `delivered`: it happened already and is booked in any case."""

    account_id: Identifier
    product: Literal["sms", "rental", "esim", "proxy"]
    amount_minor: AmountMinor
    currency: Currency
    status: Literal["pending", "charged", "cancelled"]
    created_at: Moment
    delivered: Flag = False

    def to_record(self, order_id: str) -> OrderRecord:
        return OrderRecord(
            id=order_id,
            account_id=self.account_id,
            product=self.product,
            amount=Money(amount_minor=self.amount_minor, currency=self.currency),
            status=self.status,
            created_at=self.created_at,
            is_delivered=self.delivered,
        )


# Ids may hold a slash, such as an invoice's `2026/11`, hence the `path` converters.
@routes.put("/v1/accounts/{account_id:path}", openapi_extra=only(BILLING), responses=FEED)
def put_account(account_id: Id, body: AccountBody, services: ServicesNow, caller: CallerNow) -> Recorded:
    """Create or change an account."""
    services.feed.put_account(AccountRecord(id=account_id, **body.model_dump()), actor=caller.name)
    return Recorded(type="account", id=account_id)


@routes.put("/v1/deposits/{deposit_id:path}", openapi_extra=only(BILLING), responses=FEED)
def put_deposit(deposit_id: Id, body: DepositBody, services: ServicesNow, caller: CallerNow) -> Recorded:
    """Record a deposit; the same again changes nothing, a change of it is a conflict."""
    services.feed.put_deposit(body.to_record(deposit_id), actor=caller.name)
    return Recorded(type="deposit", id=deposit_id)


@routes.put("/v1/orders/{order_id:path}", openapi_extra=only(BILLING), responses=FEED)
def put_order(order_id: Id, body: OrderBody, services: ServicesNow, caller: CallerNow) -> Recorded:
    """Record an order or its new status. Ask before you sell: `insufficient-balance` means do not."""
    services.feed.put_order(body.to_record(order_id), actor=caller.name)
    return Recorded(type="order", id=order_id)


@routes.get(
    "/v1/accounts/{account_id:path}/balance",
    openapi_extra=only(BILLING | READERS),
    responses=problems_of(*READ, 404),
)
def get_balance(account_id: Id, services: ServicesNow) -> Balance:
    """Say where an account's money is, per currency. Money reserved by pending orders counts as held."""
    rows = services.views.balance(account_id)
    return Balance(account_id=account_id, balances=[CurrencyBalance.model_validate(row) for row in rows])


def _payment(body: CardPaymentBody | ChainPaymentBody, credited: Money) -> CardPaymentRef | ChainPaymentRef:
    if isinstance(body, ChainPaymentBody):
        return ChainPaymentRef.model_validate(body.model_dump(exclude_none=True))
    return CardPaymentRef(
        payment_intent=body.payment_intent,
        amount_minor=credited.amount_minor if body.amount_minor is None else body.amount_minor,
        currency=body.currency or credited.currency,
    )
