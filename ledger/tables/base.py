"""The base of all tables: names of constraints, and how Python types become columns."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Integer, MetaData
from sqlalchemy.orm import DeclarativeBase

from ledger.columns import UtcTime

Json = dict[str, Any]


class Row(DeclarativeBase):
    """The base of all tables. Constraints get predictable names, so that migrations can name them."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    # SQLite numbers rows by itself only in a column declared INTEGER, which holds 64 bits there anyway.
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads it
        datetime: UtcTime,
        Json: JSON,
        int: BigInteger().with_variant(Integer, "sqlite"),
    }
