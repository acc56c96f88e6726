"""Whoever reaches the database past the service, with the trigger dropped, is found: where, and what they did."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import bindparam, select, text
from sqlalchemy.orm import Session

from domain.people import Role
from ledger import audit_chain
from ledger.audit_chain import Break, BreakKind, Head, Proof
from ledger.tables import AuditEntry
from tests.ledger.scene import NOON, Scene

Plant = Callable[[Session], Any]


@pytest.fixture
def entries(scene: Scene) -> int:
    """A trail of a dozen entries and more; return how many."""
    scene.funded()
    scene.refunded()
    return head(scene).seq


def head(scene: Scene) -> Head:
    with scene.database.read() as session:
        return audit_chain.read_head(session)


def prove(scene: Scene, anchor: Head | None = None, **more: int) -> Proof:
    with scene.database.read() as session:
        return audit_chain.prove(session, anchor, **more)


def tamper(scene: Scene, plant: Plant) -> None:
    with scene.database.write() as session:
        if scene.database.is_sqlite:
            for act in ("update", "delete"):
                session.execute(text(f"DROP TRIGGER audit_entries_no_{act}"))
        else:
            session.execute(text("SET LOCAL session_replication_role = replica"))
        plant(session)


def sql(statement: str, **values: Any) -> Plant:
    return lambda session: session.execute(text(statement), values)


def rehash(session: Session, *numbers: int) -> None:
    """Make entries fit their own content and the entry before them again."""
    for seq in numbers:
        before = session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == seq - 1))
        update = text("UPDATE audit_entries SET previous_hash = :before WHERE seq = :seq")
        session.execute(update.bindparams(bindparam("before", before), bindparam("seq", seq)))
        session.expire_all()
        entry = session.get_one(AuditEntry, seq)
        value = audit_chain.entry_hash(entry)
        session.execute(text("UPDATE audit_entries SET hash = :hash WHERE seq = :seq"), {"hash": value, "seq": seq})
        session.expire_all()


def renumber(session: Session, first: int, by: int) -> None:
    """Move all entries from `first` on; by way of negative numbers, as two must never share one."""
    session.execute(text("UPDATE audit_entries SET seq = -seq WHERE seq >= :first"), {"first": first})
    session.execute(text("UPDATE audit_entries SET seq = -seq + :by WHERE seq < 0"), {"by": by})


def insert(session: Session, *, hashed: bool = True) -> None:
    renumber(session, 4, 1)
    before = session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == 3)) or ""
    made_up = AuditEntry(seq=4, at=NOON, actor="x", event="x", detail={}, previous_hash=before, hash="f" * 64)
    if hashed:
        made_up.hash = audit_chain.entry_hash(made_up)
    session.add(made_up)
    session.flush()


def swap(session: Session, one: int, other: int) -> None:
    move = text("UPDATE audit_entries SET seq = :to WHERE seq = :at")
    for at, to in ((one, -1), (other, one), (-1, other)):
        session.execute(move, {"at": at, "to": to})


def cut_and_renumber(session: Session) -> None:
    session.execute(text("DELETE FROM audit_entries WHERE seq = 4"))
    renumber(session, 5, -1)


def cut_tail(session: Session) -> None:
    """Cut the last two entries and let the head in the database agree."""
    last = session.scalar(select(AuditEntry.seq).order_by(AuditEntry.seq.desc()).limit(1)) or 0
    session.execute(text("DELETE FROM audit_entries WHERE seq > :last"), {"last": last - 2})
    kept = session.scalar(select(AuditEntry.hash).where(AuditEntry.seq == last - 2))
    session.execute(text("UPDATE audit_head SET seq = :seq, hash = :hash"), {"seq": last - 2, "hash": kept})


def rewrite(session: Session) -> None:
    """Change an entry and make everything after it fit: only a head kept elsewhere can tell."""
    session.execute(text("UPDATE audit_entries SET actor = 'nobody' WHERE seq = 4"))
    numbers = session.scalars(select(AuditEntry.seq).where(AuditEntry.seq >= 4).order_by(AuditEntry.seq)).all()
    rehash(session, *numbers)
    last = session.get_one(AuditEntry, numbers[-1])
    session.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": last.hash})


CHANGED, CUT, INSERTED, REORDERED = BreakKind.CHANGED, BreakKind.CUT, BreakKind.INSERTED, BreakKind.REORDERED


@pytest.mark.parametrize(
    ("plant", "expected"),
    [
        pytest.param(sql("UPDATE audit_entries SET actor = 'x' WHERE seq = 4"), (CHANGED, 4, 4), id="changed"),
        pytest.param(
            lambda it: (sql("UPDATE audit_entries SET actor = 'x' WHERE seq = 4")(it), rehash(it, 4)),
            (CHANGED, 4, 4),
            id="changed and hashed anew",
        ),
        pytest.param(
            sql("UPDATE audit_entries SET previous_hash = hash WHERE seq = 4"),
            (REORDERED, 4, 4),
            id="linked to itself",
        ),
        pytest.param(sql("DELETE FROM audit_entries WHERE seq IN (4, 5)"), (CUT, 4, 5), id="cut in the middle"),
        pytest.param(sql("DELETE FROM audit_entries WHERE seq = 1"), (CUT, 1, 1), id="cut at the start"),
        pytest.param(cut_and_renumber, (CUT, 4, 4), id="cut in the middle and numbered anew"),
        pytest.param(insert, (INSERTED, 4, 4), id="inserted"),
        pytest.param(lambda it: insert(it, hashed=False), (INSERTED, 4, 4), id="inserted with a made-up hash"),
        pytest.param(lambda it: swap(it, 4, 5), (REORDERED, 4, 5), id="two neighbours swapped"),
        pytest.param(lambda it: swap(it, 4, 8), (REORDERED, 4, 7), id="two others swapped"),
    ],
)
def test_tampering_is_named_with_its_place(
    scene: Scene, entries: int, plant: Plant, expected: tuple[BreakKind, int, int]
) -> None:
    tamper(scene, plant)

    assert prove(scene).broken == Break(*expected)


def test_a_tail_that_was_cut_together_with_the_head_is_found_by_an_exported_head(scene: Scene, entries: int) -> None:
    exported = head(scene)
    tamper(scene, cut_tail)

    assert prove(scene).broken is None
    assert prove(scene, exported).broken == Break(BreakKind.TAIL_CUT, entries - 1, entries)


def test_a_tail_that_was_cut_alone_is_found_by_the_head_in_the_database(scene: Scene, entries: int) -> None:
    tamper(scene, sql("DELETE FROM audit_entries WHERE seq = :last", last=entries))

    assert prove(scene).broken == Break(BreakKind.TAIL_CUT, entries, entries)


def test_a_trail_written_anew_is_found_by_an_exported_head(scene: Scene, entries: int) -> None:
    exported = head(scene)
    tamper(scene, rewrite)

    assert prove(scene).broken is None
    assert prove(scene, exported).broken == Break(BreakKind.REWRITTEN, entries, entries)


def test_an_entry_that_cannot_even_be_read_counts_as_changed(scene: Scene, entries: int) -> None:
    if scene.database.is_sqlite:  # PostgreSQL keeps a time a time and JSON JSON
        tamper(scene, sql("UPDATE audit_entries SET detail = 'no JSON', at = 'never' WHERE seq = 4"))

        assert prove(scene).broken == Break(CHANGED, 4, 4)
    else:
        tamper(scene, sql("UPDATE audit_entries SET detail = '[1]' WHERE seq = 4"))

        assert prove(scene).broken == Break(CHANGED, 4, 4)


def test_an_exported_head_stays_part_of_a_trail_that_grows(scene: Scene, entries: int) -> None:
    exported = head(scene)
    scene.clients.add("new", Role.VIEWER, actor="test")

    proof = prove(scene, exported)

    assert (proof.broken, proof.entries) == (None, proof.head.seq)
    assert proof.head.seq > exported.seq


def test_a_trail_longer_than_a_batch_is_proved_whole_and_broken_in_its_last_entry(scene: Scene, entries: int) -> None:
    whole = prove(scene, batch_entries=4)
    tamper(scene, sql("UPDATE audit_entries SET actor = 'x' WHERE seq = :last", last=entries))

    assert (whole.broken, whole.entries) == (None, entries)
    assert prove(scene, batch_entries=4).broken == Break(CHANGED, entries, entries)
