"""Stopping and starting a rail: anyone on duty stops, two different people start."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from domain.findings import FindingKind
from domain.payouts import PayoutStatus
from domain.people import DECIDING, OPERATORS
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger import audit
from ledger.clients import may_act, require_role
from ledger.database import Database
from ledger.findings import close_finding, open_finding
from ledger.tables import Finding, Payout, RailStop, RailWord, Refund

STARTERS_NEEDED = 2

Picture = dict[str, Any]


class Rails:
    """The rails' switches. Every step that moves money reads them in its own database transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rails(self) -> list[Picture]:
        """Return every rail: whether it may pay, and who said what."""
        with self._database.read() as session:
            return [_picture(session, rail) for rail in Rail]

    def stop(self, rail: Rail, reason: str, *, operator: str) -> Picture:
        """Stop a rail at once. A new stop voids the words to start that were given before it."""
        with self._database.write() as session:
            require_role(session, operator, OPERATORS)
            stop = session.get(RailStop, rail.value)
            is_same = stop is not None and (stop.operator, stop.reason) == (operator, reason)
            if not (is_same and not _start_words(session, rail)):
                self._say(session, rail, "stop", reason, operator)
                now = self._database.now()
                session.merge(RailStop(rail=rail.value, operator=operator, reason=reason, stopped_at=now))
                session.flush()
                evidence = {"rail": rail.value, "operator": operator}
                key = _key(rail)
                open_finding(session, self._database, kind=FindingKind.RAIL_STOP, key=key, evidence=evidence)
            return _picture(session, rail)

    def start(self, rail: Rail, reason: str, *, operator: str) -> Picture:
        """Record a word to start a rail; the second person's word starts it and wakes what was held back."""
        with self._database.write() as session:
            require_role(session, operator, DECIDING)
            if session.get(RailStop, rail.value) is None:
                return _picture(session, rail)
            if operator not in _starters(session, rail):
                self._say(session, rail, "start", reason, operator)
            if len(_starters(session, rail)) >= STARTERS_NEEDED:
                self._start(session, rail, operator)
            return _picture(session, rail)

    def _start(self, session: Session, rail: Rail, operator: str) -> None:
        session.delete(session.get_one(RailStop, rail.value))
        session.flush()
        now, starters = self._database.now(), sorted(_starters(session, rail))
        audit.append(
            session, at=now, actor=operator, event="rail.started", subject=rail.value, detail={"by": starters}
        )
        finding = session.scalar(select(Finding).where(Finding.key == _key(rail), Finding.closed_at.is_(None)))
        if finding is not None:
            close_finding(session, now, finding, operator=operator, reason="started again by two people")
        queued = select(Payout.refund_id).where(Payout.rail == rail.value, Payout.status == PayoutStatus.QUEUED)
        held_back = (Refund.status == RefundStatus.AWAITING_APPROVAL) & (
            Refund.status_reason == StatusReason.RAIL_STOPPED
        )
        session.execute(
            update(Refund).where(Refund.rail == rail.value, held_back | Refund.id.in_(queued)).values(news_at=now)
        )

    def _say(self, session: Session, rail: Rail, act: str, reason: str, operator: str) -> None:
        now, salt = self._database.now(), audit.new_salt()
        session.add(RailWord(rail=rail.value, act=act, operator=operator, reason=reason, salt=salt, recorded_at=now))
        session.flush()
        event = "rail.stopped" if act == "stop" else "rail.start_asked"
        detail = {"reason_sealed": audit.sealed(salt, reason)}
        audit.append(session, at=now, actor=operator, event=event, subject=rail.value, detail=detail)


def _start_words(session: Session, rail: Rail) -> list[RailWord]:
    """Return the words to start that were given since the last stop, in recorded order."""
    last_stop = select(func.max(RailWord.seq)).where(RailWord.rail == rail.value, RailWord.act == "stop")
    words = select(RailWord).where(
        RailWord.rail == rail.value, RailWord.act == "start", RailWord.seq > last_stop.scalar_subquery()
    )
    return list(session.scalars(words.order_by(RailWord.seq)))


def _starters(session: Session, rail: Rail) -> set[str]:
    """Name who asked for the start and may still do so: who lost the right since then does not count."""
    return {word.operator for word in _start_words(session, rail) if may_act(session, word.operator, DECIDING)}


def _key(rail: Rail) -> str:
    return f"rail_stop/{rail}"


def _picture(session: Session, rail: Rail) -> Picture:
    stop = session.get(RailStop, rail.value)
    starters = _starters(session, rail) if stop else set()
    words = [word for word in _start_words(session, rail) if word.operator in starters] if stop else []
    return {
        "rail": rail.value,
        "is_stopped": stop is not None,
        "stopped_by": stop.operator if stop else None,
        "stopped_at": stop.stopped_at if stop else None,
        "reason": stop.reason if stop else None,
        "start_asked": [{"operator": it.operator, "recorded_at": it.recorded_at} for it in words],
        "waiting_for": None if stop is None else "second_person" if starters else "two_people",
    }
