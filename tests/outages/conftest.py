"""Stacks whose parts are killed, under a policy whose timers are short enough to be waited for."""

from collections.abc import Callable
from pathlib import Path

import pytest

from ledger import audit
from ledger.database import Database
from tests.outages.parts import ROOT

# Seconds and hours of production, made short: looks every second or two, a watch that looks within the test.
HASTE = """
orders_look_seconds = 1
payout_look_seconds = [1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 60]
wallet_block_seconds = 1
watch_chain_seconds = 2
"""


@pytest.fixture(scope="session")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("policy") / "policy.toml"
    file.write_text((ROOT / "policy.toml").read_text() + HASTE)
    return file


@pytest.fixture(scope="session")
def broken_trail() -> Callable[[str], str | None]:
    """Return what walks the audit trail of a database and tells where it is broken."""

    def walk(url: str) -> str | None:
        database = Database(url)
        try:
            with database.read() as session:
                return audit.verify(session)
        finally:
            database.close()

    return walk
