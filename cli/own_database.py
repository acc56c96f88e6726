"""Opens the database of this environment where there is one; looking for it never makes it."""

from pathlib import Path

from sqlalchemy import make_url

from ledger.database import Database


class DatabaseMissing(Exception):
    """There is no database at `where`."""

    def __init__(self, where: str) -> None:
        super().__init__(f"There is no database at {where} yet.")


def open_existing(url: str) -> Database:
    """Return the database; raise `DatabaseMissing`, and make nothing, where a SQLite file is not there."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite" and not Path(address.database or "").is_file():
        raise DatabaseMissing(address.render_as_string(hide_password=True))
    return Database(url)
