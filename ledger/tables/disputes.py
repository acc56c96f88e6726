"""What a customer's bank did about the payment of a refund: disputes, and warnings of fraud."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Row


class PaymentDispute(Row):
    """One dispute as it was last seen. `is_accepted`: it was lost, and a person took the loss."""

    __tablename__ = "payment_disputes"

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    dispute_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    stage: Mapped[str] = mapped_column(String(16))
    status: Mapped[str] = mapped_column(String(64))
    amount_minor: Mapped[int]
    currency: Mapped[str] = mapped_column(String(3))
    withdrawn_minor: Mapped[int]
    is_accepted: Mapped[bool] = mapped_column(default=False)
    seen_at: Mapped[datetime]


class PaymentWarning(Row):
    """One early fraud warning of the card's issuer. It marks the refund and stops nothing."""

    __tablename__ = "payment_warnings"

    refund_id: Mapped[str] = mapped_column(ForeignKey("refunds.id"), primary_key=True)
    warning_id: Mapped[str] = mapped_column(String(255), primary_key=True)
    fraud_type: Mapped[str] = mapped_column(String(64))
    is_actionable: Mapped[bool]
    seen_at: Mapped[datetime]
