"""Brings a database to the schema that this version of the code expects."""

from pathlib import Path

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ledger.database import Database
from ledger.tables import Row

# Two processes that start at once must not migrate at once; any number that nothing else locks will do.
MIGRATION_LOCK = 7_265_667_564


class NewerSchemaError(Exception):
    """A migration that this version does not have was applied: a newer version has been here."""

    def __init__(self, revision: str) -> None:
        super().__init__(
            f"A newer version has migrated the database (to {revision}), and no way leads back. Start that version "
            "or a newer one; to go back, restore the backup from before, as docs/operations.md says."
        )


def config(connection: Connection | None = None) -> Config:
    """Return Alembic's settings without a file of its own."""
    settings = Config()
    settings.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    settings.attributes["connection"] = connection
    return settings


def upgrade(database: Database) -> None:
    """Apply every migration that is missing. A second call, or one at the same time, changes nothing.

    Raise `NewerSchemaError` where the database is ahead of this version.
    """
    writer = database.engine.execution_options(writes=True)
    with writer.begin() as connection:
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})
        found = MigrationContext.configure(connection).get_current_revision()
        if found not in {None, *(it.revision for it in ScriptDirectory.from_config(config()).walk_revisions())}:
            raise NewerSchemaError(str(found))
        command.upgrade(config(connection), "head")


def is_current(database: Database) -> bool:
    """Tell whether the database has exactly this version's schema; raise `TryAgain` if it does not answer."""
    head = ScriptDirectory.from_config(config()).get_current_head()
    with database.read() as session:
        return MigrationContext.configure(session.connection()).get_current_revision() == head


def differences(database: Database) -> list[object]:
    """List where the migrated schema differs from the tables in code; empty is right."""
    with database.engine.connect() as connection:
        return list(compare_metadata(MigrationContext.configure(connection), Row.metadata))
