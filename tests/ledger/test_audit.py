"""The trail: every change in it, chained, and kept by the database itself."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import make_transient

from domain.errors import InsufficientBalance
from domain.payouts import PayoutStatus
from ledger import audit, audit_chain
from ledger.tables import AuditEntry, AuditHead
from tests.ledger.scene import NOON, Scene

Trail = list[AuditEntry]


def written(scene: Scene) -> tuple[Trail, AuditHead]:
    """Return copies of the trail and its head, for a test to tamper with."""
    with scene.database.read() as session:
        entries = list(session.scalars(select(AuditEntry).order_by(AuditEntry.seq)))
        head = session.get_one(AuditHead, 1)
    for row in (*entries, head):
        make_transient(row)
    return entries, head


def paid(scene: Scene) -> str:
    scene.funded()
    scene.order("o", 50, "pending")
    scene.order("o", 50, "cancelled")
    refund = scene.refunded()
    scene.outcome(refund, PayoutStatus.FAILED)
    return refund


def test_the_trail_of_a_whole_life_holds_together(scene: Scene) -> None:
    paid(scene)

    entries, head = written(scene)

    assert scene.audit_break() is None
    assert len(entries) > 15
    assert (head.seq, head.hash) == (entries[-1].seq, entries[-1].hash)


def change(name: str, value: Any) -> Callable[[Trail, AuditHead], Trail]:
    def tamper(entries: Trail, _: AuditHead) -> Trail:
        setattr(entries[3], name, value)
        return entries

    return tamper


def cut_middle(entries: Trail, _: AuditHead) -> Trail:
    return entries[:3] + entries[4:]


def cut_end(entries: Trail, _: AuditHead) -> Trail:
    return entries[:-1]


def cut_start(entries: Trail, _: AuditHead) -> Trail:
    return entries[1:]


def swap(entries: Trail, _: AuditHead) -> Trail:
    entries[3], entries[4] = entries[4], entries[3]
    return entries


def swap_and_number_anew(entries: Trail, _: AuditHead) -> Trail:
    entries[3].seq, entries[4].seq = entries[4].seq, entries[3].seq
    entries[3], entries[4] = entries[4], entries[3]
    for entry in entries[3:5]:
        entry.hash = audit_chain.entry_hash(entry)
    return entries


def insert(entries: Trail, _: AuditHead) -> Trail:
    made_up = AuditEntry(
        seq=4, at=NOON, actor="x", event="x", detail={}, previous_hash=entries[2].hash, hash="", refund_id=None
    )
    made_up.hash = audit_chain.entry_hash(made_up)
    for entry in entries[3:]:
        entry.seq += 1
    return [*entries[:3], made_up, *entries[3:]]


def append(entries: Trail, _: AuditHead) -> Trail:
    last = entries[-1]
    made_up = AuditEntry(
        seq=last.seq + 1, at=NOON, actor="x", event="x", detail={}, previous_hash=last.hash, hash="", refund_id=None
    )
    made_up.hash = audit_chain.entry_hash(made_up)
    return [*entries, made_up]


def change_and_rehash(entries: Trail, _: AuditHead) -> Trail:
    entries[3].actor = "somebody else"
    entries[3].hash = audit_chain.entry_hash(entries[3])
    return entries


def empty(_: Trail, __: AuditHead) -> Trail:
    return []


def move_head(entries: Trail, head: AuditHead) -> Trail:
    head.hash = audit_chain.GENESIS_HASH
    return entries


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(change("actor", "somebody else"), id="who"),
        pytest.param(change("at", NOON.replace(year=2025)), id="when"),
        pytest.param(change("event", "other"), id="what"),
        pytest.param(change("detail", {"amount_minor": 1}), id="detail"),
        pytest.param(change("refund_id", "rf_other"), id="refund"),
        pytest.param(change("subject", "other"), id="subject"),
        pytest.param(change("previous_hash", audit_chain.GENESIS_HASH), id="link"),
        pytest.param(change_and_rehash, id="changed and hashed anew"),
        pytest.param(cut_start, id="cut at the start"),
        pytest.param(cut_middle, id="cut in the middle"),
        pytest.param(cut_end, id="cut at the end"),
        pytest.param(empty, id="emptied"),
        pytest.param(insert, id="inserted"),
        pytest.param(append, id="added at the end"),
        pytest.param(swap, id="reordered"),
        pytest.param(swap_and_number_anew, id="reordered, numbered and hashed anew"),
        pytest.param(move_head, id="the head alone"),
    ],
)
def test_whoever_tampers_with_the_trail_is_found_out(
    scene: Scene, tamper: Callable[[Trail, AuditHead], Trail]
) -> None:
    scene.funded()
    entries, head = written(scene)
    assert audit_chain.first_break(entries, head) is None

    assert audit_chain.first_break(tamper(entries, head), head) is not None


@pytest.mark.parametrize("table", ["audit_entries", "entries", "postings"])
@pytest.mark.parametrize("act", ["UPDATE {0} SET {1} = {1}", "DELETE FROM {0}"], ids=["update", "delete"])
def test_the_database_refuses_to_change_what_was_written(scene: Scene, table: str, act: str) -> None:
    scene.funded()
    column = "seq" if table == "audit_entries" else "id"

    with pytest.raises(DBAPIError, match="append-only"), scene.database.write() as session:
        session.execute(text(act.format(table, column)))

    assert scene.audit_break() is None


def test_what_is_refused_leaves_no_mark_in_books_or_trail(scene: Scene) -> None:
    scene.funded()
    before = written(scene)[1].seq

    with pytest.raises(InsufficientBalance):
        scene.order("o", 9999)

    assert written(scene)[1].seq == before


def test_a_tampered_database_is_found_by_walking_the_trail(scene: Scene) -> None:
    scene.funded()
    past_the_trigger = "SET LOCAL session_replication_role = replica"
    if scene.database.is_sqlite:
        past_the_trigger = "DROP TRIGGER audit_entries_no_update"
    with scene.database.write() as session:
        session.execute(text(past_the_trigger))
        session.execute(text("UPDATE audit_entries SET actor = 'x' WHERE seq = 3"))

    assert scene.audit_break() == "entry 3 was changed"


def test_a_sealed_text_proves_itself_and_tells_nothing_without_its_key() -> None:
    salt = audit.new_salt()

    assert audit.sealed(salt, "evidence") == audit.sealed(salt, "evidence")
    assert audit.sealed(salt, "evidence") != audit.sealed(audit.new_salt(), "evidence")
    assert audit.sealed(salt, "evidence") != audit.sealed(salt, "other")
