"""A payout's lease is with one process at a time: it outlives standing still, and not its holder's death."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from domain.errors import TryAgain
from ledger.database import Database
from ledger.leases import leases

ROOT = Path(__file__).resolve().parents[2]
HOLDER = """
import sys
from ledger.database import Database
from ledger.leases import leases
with leases(Database(sys.argv[1]))("rf_1", 1):
    print("held", flush=True)
    sys.stdin.read()
"""


@contextmanager
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """Let another process hold the lease of a payout."""
    with subprocess.Popen(  # noqa: S603 - our own interpreter and code
        [sys.executable, "-c", HOLDER, url], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def is_free(database: Database, refund_id: str = "rf_1", attempt: int = 1) -> bool:
    try:
        with leases(database)(refund_id, attempt):
            return True
    except TryAgain:
        return False


def test_one_process_has_it_and_any_number_of_others_wait(url: str) -> None:
    database = Database(url)

    with holder(url):
        assert not is_free(database)
        assert not is_free(database)


def test_it_is_for_one_attempt_of_one_refund(url: str) -> None:
    database = Database(url)

    with holder(url):
        assert is_free(database, attempt=2)
        assert is_free(database, refund_id="rf_2")


def test_who_stands_still_keeps_it_and_who_dies_has_given_it_back(url: str) -> None:
    database = Database(url)

    with holder(url) as process:
        os.kill(process.pid, signal.SIGSTOP)
        while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            continue
        assert not is_free(database)
        process.kill()
        process.wait()
        while not is_free(database):  # a server notices the end of a connection a moment later
            continue


def test_it_is_given_back_in_the_end_whatever_happened(url: str) -> None:
    database = Database(url)

    def fail() -> None:
        with leases(database)("rf_1", 1):
            assert not is_free(database)
            raise KeyError

    with pytest.raises(KeyError):
        fail()

    assert is_free(database)
    assert is_free(database)


def test_nothing_is_left_beside_the_database(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'refunds.sqlite'}")

    assert is_free(database)

    assert list((tmp_path / "refunds.sqlite.leases").iterdir()) == []


def test_without_a_database_nothing_is_sent() -> None:
    database = Database("postgresql+psycopg://nobody@127.0.0.1:1/none")

    with pytest.raises(TryAgain), leases(database)("rf_1", 1):
        pytest.fail("nobody gave it")
