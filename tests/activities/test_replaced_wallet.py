"""A wallet that was robbed and replaced: what stands against it keeps it paused, and nobody else."""

import pytest

from domain.errors import Conflict
from domain.refunds import Rail
from ledger.findings import Findings
from ledger.rails import Rails
from ledger.switches import is_stopped
from ledger.tables import Wallet
from tests.activities.line import Line
from tests.activities.test_pauses import start
from tests.activities.test_restored import reconcile
from tests.fakes import CHAIN_ID, WALLET

NEW = "0x" + "cc" * 20


@pytest.fixture
def waiting(line: Line) -> str:
    """A refund that waits for a robbed wallet; another one has paid since."""
    line.queue("dep_0")
    line.turn()
    line.chain.nonce = line.chain.nonce_finalized = 3
    refund = line.queue()
    line.turn()
    assert line.pause_reason() == "nonce_drift"
    with line.house.database.write() as session:
        session.add(Wallet(chain_id=CHAIN_ID, address=NEW, first_nonce=0, next_nonce=1))
    return refund


def stop(line: Line) -> None:
    Rails(line.house.database).stop(Rail.CRYPTO, "robbed", operator="ann", chain_id=CHAIN_ID)


def test_people_lift_their_own_stop_and_the_robbed_wallet_stays_paused(line: Line, waiting: str) -> None:
    stop(line)

    start(line, "ann", "bob")

    with line.house.database.read() as session:
        assert not is_stopped(session, Rail.CRYPTO, CHAIN_ID)
    assert "rail_stop" not in [it["kind"] for it in line.house.views.open_findings()]
    (chain,) = [it for it in Rails(line.house.database).rails() if it["chain_id"] == CHAIN_ID]
    assert (chain["pause_reason"], chain["waiting_for"]) == ("nonce_drift", "two_people")
    line.turn()
    assert (line.pause_reason(), line.nonce(waiting)) == ("nonce_drift", None)


@pytest.mark.parametrize("is_stop_too", [False, True], ids=["paused", "paused and stopped"])
def test_a_count_that_is_not_explained_starts_nothing(line: Line, waiting: str, is_stop_too: bool) -> None:
    if is_stop_too:
        stop(line)

    with pytest.raises(Conflict) as refused:
        start(line, "ann", adopt_nonce=3)

    assert refused.value.rule == "nonces_explained"


def test_a_count_is_adopted_by_the_paused_wallet_alone(line: Line, waiting: str) -> None:
    reconcile(line)
    for finding in line.house.views.open_findings():
        if finding["kind"] == "unowned_payment":
            Findings(line.house.database).close(finding["id"], "a thief; reported", operator="root")

    assert not start(line, "ann", "bob", adopt_nonce=3)

    with line.house.database.read() as session:
        counts = {it.address: it.next_nonce for it in session.query(Wallet)}
    assert counts == {WALLET: 3, NEW: 1}


def test_a_count_where_no_wallet_is_paused_is_refused(line: Line) -> None:
    line.queue()
    line.turn()
    stop(line)

    with pytest.raises(Conflict) as refused:
        start(line, "ann", adopt_nonce=3)

    assert refused.value.rule == "wallet_paused"
