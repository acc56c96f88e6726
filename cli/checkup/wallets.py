"""How our books and each chain fit together: a database that lost its memory meets a wallet that has a past."""

from collections.abc import Iterator

from sqlalchemy.exc import SQLAlchemyError

from cli.checkup.report import Check, ok, wrong
from cli.own_database import DatabaseMissing, open_existing
from config import Settings
from domain.errors import InvalidRequest, TryAgain
from gateways.evm import sightings
from gateways.evm.agreement import Endpoints
from gateways.evm.settings import ChainSettings, load_chains
from ledger.database import Database
from ledger.migrate import is_current
from ledger.wallets import stranger

EXPLAIN = "See `wallet paused` in docs/operations.md; nothing is paid from this wallet before."


def examine(settings: Settings) -> Iterator[Check]:
    """Compare counts of nonces, read only. What cannot be read is told where it is looked at by itself."""
    if settings.chains is None:
        return
    try:
        chains, database = load_chains(settings.chains), open_existing(settings.database_url)
    except (InvalidRequest, DatabaseMissing, SQLAlchemyError, ModuleNotFoundError, OSError):
        return
    try:
        if is_current(database):
            for position, chain in enumerate(chains):
                yield from _compare(database, position, chain)
    except (TryAgain, SQLAlchemyError):
        return
    finally:
        database.close()


def _compare(database: Database, position: int, chain: ChainSettings) -> Iterator[Check]:
    name = f"chain.{chain.chain_id}.first_nonce"
    try:
        view = sightings.view(Endpoints(chain), chain.wallet, reading=0, for_signing=False)
    except TryAgain:
        return
    with database.read() as session:
        told = stranger(
            session, chain.chain_id, chain.wallet, view.model_copy(update={"first_nonce": chain.first_nonce})
        )
    if told is None:
        yield ok(name, f"The database explains what the wallet {chain.wallet} has sent.")
    else:
        yield wrong(name, f"chains.{position}.first_nonce: {told}", EXPLAIN)
