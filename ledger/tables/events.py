"""Events of the card processor that came, by webhook or by the daily sweep."""

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Row


class CardEventRow(Row):
    """One event, by its own id, so that it counts once however often it comes. Its content is not kept.

    `refund_id` is whose run it woke. It was told once that refund has no news left untold.
    """

    __tablename__ = "card_events"

    id: Mapped[str] = mapped_column(String(255), primary_key=True)
    type: Mapped[str] = mapped_column(String(64))
    subject_id: Mapped[str] = mapped_column(String(255))
    payment_intent: Mapped[str | None] = mapped_column(String(255))
    outcome: Mapped[str] = mapped_column(String(24))
    refund_id: Mapped[str | None] = mapped_column(ForeignKey("refunds.id"))
    came_by: Mapped[str] = mapped_column(String(8))
    received_at: Mapped[datetime] = mapped_column(index=True)
