"""Rails that may not pay now, and what people said about stopping and starting them."""

from datetime import datetime

from sqlalchemy import ForeignKey, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from ledger.tables.base import Row


class RailStop(Row):
    """A rail, or one chain of it (`crypto/31337`), that may not pay now.

    Read inside the database transaction of every step that moves money. No operator means the service itself, and
    then `cause` says why.
    """

    __tablename__ = "rail_stops"

    rail: Mapped[str] = mapped_column(String(32), primary_key=True)
    operator: Mapped[str | None] = mapped_column(ForeignKey("clients.name"))
    cause: Mapped[str | None] = mapped_column(String(32))
    reason: Mapped[str] = mapped_column(Text)
    stopped_at: Mapped[datetime]


class RailWord(Row):
    """One person's word to stop or to start a rail, or one chain of it, in recorded order.

    The service's own word, to stop, has no operator. A stop voids the words before it. `adopt_nonce` is the count
    from which the chain's wallet is to go on.
    """

    __tablename__ = "rail_words"

    seq: Mapped[int] = mapped_column(primary_key=True, autoincrement=True)
    rail: Mapped[str] = mapped_column(String(32), index=True)
    act: Mapped[str] = mapped_column(String(8))
    operator: Mapped[str | None] = mapped_column(ForeignKey("clients.name"))
    reason: Mapped[str] = mapped_column(Text)
    adopt_nonce: Mapped[int | None]
    salt: Mapped[str] = mapped_column(String(32))
    recorded_at: Mapped[datetime]
