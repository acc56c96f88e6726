"""The proof that the audit trail is whole: every hash computed again, every link followed, the first break named."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain, pairwise
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from domain.digests import canonical_json
from ledger.tables import AuditEntry, AuditHead

GENESIS_HASH = "0" * 64
BATCH_ENTRIES = 1000  # what is in memory at once, however long the trail
RENUMBERED_MAX = 1000  # how far an entry is followed that was moved up to close a gap

Line = AuditEntry | Row[Any]


class BreakKind(StrEnum):
    """How the trail is broken; a closed list, explained in the glossary."""

    CHANGED = "changed"
    CUT = "cut"
    INSERTED = "inserted"
    REORDERED = "reordered"
    TAIL_CUT = "tail_cut"
    REWRITTEN = "rewritten"
    HEAD_MOVED = "head_moved"


@dataclass(frozen=True)
class Head:
    """The end of the trail at one moment. Kept elsewhere, it proves later that nothing before it was changed."""

    seq: int
    hash: str


@dataclass(frozen=True)
class Break:
    """The first place where the trail is not what was written: entries `first` to `last`."""

    kind: BreakKind
    first: int
    last: int

    def __str__(self) -> str:
        one = self.first == self.last
        place = f"entry {self.first}" if one else f"entries {self.first} to {self.last}"
        return f"{place} {'was' if one else 'were'} {SENTENCES[self.kind]}"


SENTENCES = {
    BreakKind.CHANGED: "changed",
    BreakKind.CUT: "cut out",
    BreakKind.INSERTED: "inserted",
    BreakKind.REORDERED: "reordered",
    BreakKind.TAIL_CUT: "cut from the end",
    BreakKind.REWRITTEN: "written anew after its head was exported",
    BreakKind.HEAD_MOVED: "the last, and the head of the trail names another hash",
}


@dataclass(frozen=True)
class Proof:
    """What a walk over the whole trail found; `broken` is None where it is whole."""

    entries: int
    head: Head
    broken: Break | None


def entry_hash(entry: Line, seq: int | None = None) -> str:
    """Return the SHA-256 over the entry's content and the hash of the entry before it."""
    content = [
        entry.seq if seq is None else seq,
        entry.at.isoformat(),
        entry.actor,
        entry.event,
        entry.refund_id,
        entry.subject,
        entry.detail,
        entry.previous_hash,
    ]
    return hashlib.sha256(canonical_json(content).encode()).hexdigest()


def prove(session: Session, anchor: Head | None = None, *, batch_entries: int = BATCH_ENTRIES) -> Proof:
    """Walk the whole trail in one snapshot; `anchor` is a head that was exported earlier."""
    head, counted = read_head(session), _Counter()
    try:
        broken = first_break(
            counted.through(_lines(session, batch_entries)),
            head,
            anchor,
            position_of=lambda hash: _position(session, hash),
        )
    except _UnreadableError as unreadable:
        broken = Break(BreakKind.CHANGED, unreadable.seq, unreadable.seq)
    return Proof(entries=counted.seen, head=head, broken=broken)


def read_head(session: Session) -> Head:
    """Return the end of the trail as the database has it."""
    row = session.get_one(AuditHead, 1)
    return Head(row.seq, row.hash)


def first_break(
    entries: Iterable[Line],
    head: AuditHead | Head,
    anchor: Head | None = None,
    *,
    position_of: Callable[[str], int | None] = lambda _: None,
) -> Break | None:
    """Return the first break, or None. Entries come in order of `seq`; `position_of` finds an entry by its hash."""
    seq, last = 0, GENESIS_HASH
    for entry, following in pairwise(chain(entries, (None,))):
        if entry is None:
            continue
        broken = _judge(entry, following, seq + 1, last, position_of)
        if broken is not None:
            return broken
        seq, last = entry.seq, entry.hash
        if anchor is not None and anchor.seq == seq and anchor.hash != last:
            return Break(BreakKind.REWRITTEN, seq, seq)
    known = max(head.seq, anchor.seq if anchor else 0)
    if seq < known:
        return Break(BreakKind.TAIL_CUT, seq + 1, known)
    if seq > head.seq:
        return Break(BreakKind.INSERTED, head.seq + 1, seq)
    return None if last == head.hash else Break(BreakKind.HEAD_MOVED, seq, seq)


def _judge(
    entry: Line, following: Line | None, expected: int, last: str, position_of: Callable[[str], int | None]
) -> Break | None:
    """Compare one entry with the place where it stands. The entry after it tells an insertion from a change."""
    if entry.seq < expected:
        return Break(BreakKind.INSERTED, entry.seq, entry.seq)
    if entry.seq > expected:
        return Break(BreakKind.CUT, expected, entry.seq - 1)
    is_linked, is_itself = entry.previous_hash == last, entry_hash(entry) == entry.hash
    if is_linked and is_itself:
        return None
    follows = None if is_linked else position_of(entry.previous_hash)
    if follows is not None and follows >= entry.seq:
        return Break(BreakKind.REORDERED, entry.seq, follows)
    if follows is not None and follows < entry.seq - 1:
        return Break(BreakKind.INSERTED, follows + 1, entry.seq - 1)
    if following is not None and following.previous_hash == last:
        return Break(BreakKind.INSERTED, entry.seq, entry.seq)
    gap = 0 if is_linked else _renumbered_by(entry)
    if gap:
        return Break(BreakKind.CUT, entry.seq, entry.seq + gap - 1)
    # An entry that is itself and follows a hash that is nowhere: the one before it was changed and hashed anew.
    place = entry.seq - 1 if is_itself and not is_linked and entry.seq > 1 else entry.seq
    return Break(BreakKind.CHANGED, place, place)


def _renumbered_by(entry: Line) -> int:
    """Return how many places an entry was moved up to hide that others before it are gone, 0 for none."""
    moves = range(1, RENUMBERED_MAX + 1)
    return next((by for by in moves if entry_hash(entry, entry.seq + by) == entry.hash), 0)


class _Counter:
    def __init__(self) -> None:
        self.seen = 0

    def through(self, entries: Iterable[Line]) -> Iterator[Line]:
        for entry in entries:
            self.seen += 1
            yield entry


class _UnreadableError(Exception):
    """An entry holds what we never wrote: no time where a time belongs, no JSON where JSON belongs."""

    def __init__(self, seq: int) -> None:
        super().__init__(seq)
        self.seq = seq


def _lines(session: Session, batch_entries: int) -> Iterator[Line]:
    """Read the trail in batches, as plain rows: objects of the mapper would take four times as long."""
    table = AuditEntry.__table__
    query, last = select(*table.columns).order_by(table.c.seq), None
    while True:
        rest = query if last is None else query.where(table.c.seq > last)
        try:
            batch = session.execute(rest.limit(batch_entries)).all()
        except (ValueError, TypeError, AttributeError):
            batch = _readable(session, last, batch_entries)
        if not batch:
            return
        yield from batch
        last = batch[-1].seq


def _readable(session: Session, last: int | None, batch_entries: int) -> list[Row[Any]]:
    """Read one by one up to the entry that cannot be read."""
    table = AuditEntry.__table__
    numbers = select(table.c.seq).order_by(table.c.seq).limit(batch_entries)
    found: list[Row[Any]] = []
    for seq in session.scalars(numbers if last is None else numbers.where(table.c.seq > last)).all():
        try:
            found.append(session.execute(select(*table.columns).where(table.c.seq == seq)).one())
        except (ValueError, TypeError, AttributeError):
            if not found:
                raise _UnreadableError(seq) from None
            return found
    return found


def _position(session: Session, hash: str) -> int | None:
    return session.scalar(select(AuditEntry.seq).where(AuditEntry.hash == hash))
