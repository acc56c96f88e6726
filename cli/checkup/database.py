"""How the database is: there, of this version, and what stands still in it."""

from collections.abc import Iterator

from sqlalchemy import func, select
from sqlalchemy.exc import SQLAlchemyError

from cli.checkup import hook
from cli.checkup.report import Check, away, ok, warning, wrong
from cli.own_database import DatabaseMissing, open_existing
from config import Settings
from domain.errors import TryAgain
from domain.refunds import RefundStatus
from ledger.database import Database
from ledger.migrate import is_current
from ledger.news import News
from ledger.tables import Finding, RailStop, Refund, Wallet

UNTOLD_SECONDS_MAX = 60  # the API tells news at once, and what it missed within seconds
MIGRATE = "Run `refunds migrate` with this version; API and worker start once it is done."


def examine(settings: Settings) -> Iterator[Check]:
    """Read only: a SQLite file that is not there stays away."""
    try:
        database = open_existing(settings.database_url)
    except DatabaseMissing as missing:
        yield wrong("database.schema", str(missing), MIGRATE)
        return
    except (SQLAlchemyError, ModuleNotFoundError, OSError) as error:
        yield wrong("database", f"REFUNDS_DATABASE_URL cannot be used ({type(error).__name__}).", "Mend the address.")
        return
    where = database.url.render_as_string(hide_password=True)
    try:
        yield from _examine(database, where, settings)
    except TryAgain as error:
        yield away(
            "database",
            f"{where}: {error.message}.",
            "Start it, or mend REFUNDS_DATABASE_URL and its password's file.",
        )
    except SQLAlchemyError as error:
        cause = type(error.__cause__ or error).__name__  # the words of a driver may hold the password
        yield wrong(
            "database", f"{where} cannot be read ({cause}).", "Mend REFUNDS_DATABASE_URL, or the file's rights."
        )
    finally:
        database.close()


def _examine(database: Database, where: str, settings: Settings) -> Iterator[Check]:
    if not is_current(database):
        yield wrong("database.schema", f"{where} has another schema than this version.", MIGRATE)
        return
    yield ok("database.schema", f"{where} has this version's schema.")
    yield _news(database)
    yield hook.examine(settings, database)
    with database.read() as session:
        findings = session.scalar(select(func.count()).select_from(Finding).where(Finding.closed_at.is_(None)))
        waiting = session.scalar(
            select(func.count()).select_from(Refund).where(Refund.status == RefundStatus.NEEDS_ATTENTION)
        )
        stopped = session.scalars(select(RailStop)).all()
        paused = session.scalars(select(Wallet).where(Wallet.pause_reason.is_not(None))).all()
    yield _waiting("database.findings", "open findings", findings or 0)
    yield _waiting("database.refunds", "refunds that need attention", waiting or 0)
    for stop in stopped:
        yield warning(
            "database.rails",
            f"The {stop.rail} rail was stopped by {stop.operator or 'the service itself'}: {stop.reason}",
            "Approved refunds wait there until two people start it: `refunds rail start`.",
        )
    for wallet in paused:
        yield warning(
            "database.wallets",
            f"The wallet {wallet.address} on chain {wallet.chain_id} is paused: {wallet.pause_reason}.",
            "`refunds findings --kind wallet_paused` shows why. Nothing is paid from it until two people start it: "
            f"`refunds rail start crypto --chain {wallet.chain_id}`.",
        )
    if not stopped and not paused:
        yield ok("database.rails", "No rail is stopped and no wallet is paused.")


def _news(database: Database) -> Check:
    untold = len(News(database).untold(UNTOLD_SECONDS_MAX))
    if not untold:
        return ok("database.news", "Every run was told its news.")
    return wrong(
        "database.news",
        f"Refunds with news for over {UNTOLD_SECONDS_MAX} s that their run was not told: {untold}.",
        "See whether the API runs and reaches Temporal: it tells them.",
    )


def _waiting(name: str, what: str, count: int) -> Check:
    if not count:
        return ok(name, f"There are no {what}.")
    return warning(name, f"There are {what}: {count}.", "A person must look at each of them.")
