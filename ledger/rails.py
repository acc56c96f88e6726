"""Stopping and starting a rail, or one chain of it: anyone on duty stops, two different people start."""

from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from domain.errors import Conflict, InvalidRequest
from domain.findings import FindingKind
from domain.payouts import PayoutStatus
from domain.people import DECIDING, OPERATORS
from domain.rails import StopCause
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger import audit, cases, unpausing
from ledger.clients import may_act, require_role
from ledger.database import Database
from ledger.findings import close_finding, open_finding
from ledger.switches import switch_of
from ledger.tables import Finding, Payout, RailStop, RailWord, Refund, Wallet

STARTERS_NEEDED = 2
SERVICE = cases.SERVICE

Picture = dict[str, Any]


class Rails:
    """The switches. Every step that moves money reads them in its own database transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def rails(self) -> list[Picture]:
        """Return every rail, and every chain that is stopped or paused: may it pay, and who said what."""
        with self._database.read() as session:
            chains = {int(name.partition("/")[2]) for name in session.scalars(select(RailStop.rail)) if "/" in name}
            chains |= unpausing.paused_chains(session)
            rows: list[tuple[Rail, int | None]] = [(rail, None) for rail in Rail]
            return [_picture(session, *it) for it in rows + [(Rail.CRYPTO, chain) for chain in sorted(chains)]]

    def stop(self, rail: Rail, reason: str, *, operator: str, chain_id: int | None = None) -> Picture:
        """Stop a rail, or one chain of it, at once. A new stop voids the words to start that were given before it."""
        _require_chain(rail, chain_id)
        name = switch_of(rail, chain_id)
        with self._database.write() as session:
            require_role(session, operator, OPERATORS)
            stop = session.get(RailStop, name)
            is_same = stop is not None and (stop.operator, stop.reason) == (operator, reason)
            if not (is_same and not _start_words(session, rail, chain_id)):
                self._say(session, name, "stop", reason, operator)
                now = self._database.now()
                session.merge(RailStop(rail=name, operator=operator, cause=None, reason=reason, stopped_at=now))
                session.flush()
                evidence: dict[str, Any] = {"rail": rail.value, "operator": operator}
                evidence |= {} if chain_id is None else {"chain_id": chain_id}
                key = _key(name)
                open_finding(session, self._database, kind=FindingKind.RAIL_STOP, key=key, evidence=evidence)
            return _picture(session, rail, chain_id)

    def stop_itself(self, rail: Rail, cause: StopCause, told: str) -> None:
        """Stop a rail on the service's own word, once: one that is stopped already stays as it is.

        `told` is what the provider said, in our own words. Words to start count only if they came after it.
        """
        with self._database.write() as session:
            if session.get(RailStop, switch_of(rail)) is not None:
                return
            now, name = self._database.now(), switch_of(rail)
            self._say(session, name, "stop", told, None)
            session.add(RailStop(rail=name, operator=None, cause=cause.value, reason=told, stopped_at=now))
            session.flush()
            evidence = {"rail": rail.value, "operator": SERVICE, "cause": cause.value, "told": told[:200]}
            open_finding(session, self._database, kind=FindingKind.RAIL_STOP, key=_key(name), evidence=evidence)

    def start(
        self,
        rail: Rail,
        reason: str,
        *,
        operator: str,
        chain_id: int | None = None,
        adopt_nonce: int | None = None,
    ) -> Picture:
        """Record a word to start; the second person's word starts, and wakes what was held back.

        A chain's wallet that paused by itself starts only where its cause is gone; `adopt_nonce` is the count of
        nonces from which it is to go on, after every foreign use below it was explained and closed.
        """
        _require_chain(rail, chain_id)
        if adopt_nonce is not None and chain_id is None:
            raise InvalidRequest("adopt_nonce", "chain", "needs the chain whose wallet is meant")
        with self._database.write() as session:
            require_role(session, operator, DECIDING)
            if not _is_off(session, rail, chain_id):
                return _picture(session, rail, chain_id)
            _wallets_to_start(session, rail, chain_id, adopt_nonce)  # refused before a word is recorded
            said = {(word.operator, word.adopt_nonce) for word in _start_words(session, rail, chain_id)}
            if (operator, adopt_nonce) not in said:
                self._say(session, switch_of(rail, chain_id), "start", reason, operator, adopt_nonce)
            if len(_starters(session, rail, chain_id, adopt_nonce)) >= STARTERS_NEEDED:
                self._start(session, rail, chain_id, operator, adopt_nonce)
            return _picture(session, rail, chain_id)

    def _start(
        self, session: Session, rail: Rail, chain_id: int | None, operator: str, adopt_nonce: int | None
    ) -> None:
        name, starters = switch_of(rail, chain_id), sorted(_starters(session, rail, chain_id, adopt_nonce))
        paused = _wallets_to_start(session, rail, chain_id, adopt_nonce)
        stop = session.get(RailStop, name)
        if stop is not None:
            session.delete(stop)
            session.flush()
        now = self._database.now()
        detail = {"by": starters} | ({} if adopt_nonce is None else {"adopt_nonce": adopt_nonce})
        audit.append(session, at=now, actor=operator, event="rail.started", subject=name, detail=detail)
        finding = session.scalar(select(Finding).where(Finding.key == _key(name), Finding.closed_at.is_(None)))
        if finding is not None:
            close_finding(session, now, finding, operator=operator, reason="started again by two people")
        unpausing.start(session, self._database, paused, operator, adopt_nonce)
        unpausing.void_words_for_others(session, chain_id)
        # A wallet goes on with what it signed; a card request that may have left is repeated only now.
        waiting = [PayoutStatus.QUEUED, *([PayoutStatus.UNKNOWN] if rail == Rail.CARD else [])]
        queued = select(Payout.refund_id).where(Payout.rail == rail.value, Payout.status.in_(waiting))
        held_back = (Refund.status == RefundStatus.AWAITING_APPROVAL) & (
            Refund.status_reason == StatusReason.RAIL_STOPPED
        )
        session.execute(
            update(Refund).where(Refund.rail == rail.value, held_back | Refund.id.in_(queued)).values(news_at=now)
        )

    def _say(
        self, session: Session, name: str, act: str, reason: str, operator: str | None, adopt_nonce: int | None = None
    ) -> None:
        now, salt = self._database.now(), audit.new_salt()
        said = RailWord(rail=name, act=act, operator=operator, reason=reason, salt=salt, recorded_at=now)
        said.adopt_nonce = adopt_nonce
        session.add(said)
        session.flush()
        event = "rail.stopped" if act == "stop" else "rail.start_asked"
        detail: dict[str, Any] = {"reason_sealed": audit.sealed(salt, reason)}
        if adopt_nonce is not None:
            detail["adopt_nonce"] = adopt_nonce
        audit.append(session, at=now, actor=operator or SERVICE, event=event, subject=name, detail=detail)


def _require_chain(rail: Rail, chain_id: int | None) -> None:
    if chain_id is not None and rail != Rail.CRYPTO:
        raise Conflict("Only the crypto rail has chains.", field="chain_id", rule="crypto_rail")


def _is_off(session: Session, rail: Rail, chain_id: int | None) -> bool:
    is_paused = chain_id is not None and chain_id in unpausing.paused_chains(session)
    return is_paused or session.get(RailStop, switch_of(rail, chain_id)) is not None


def _wallets_to_start(session: Session, rail: Rail, chain_id: int | None, adopt_nonce: int | None) -> list[Wallet]:
    if chain_id is None:
        return []
    is_stopped = session.get(RailStop, switch_of(rail, chain_id)) is not None
    return unpausing.startable(session, chain_id, adopt_nonce, is_stopped=is_stopped)


def _start_words(session: Session, rail: Rail, chain_id: int | None) -> list[RailWord]:
    """Return the words to start that were given since the last stop or pause, in recorded order."""
    name = switch_of(rail, chain_id)
    last_stop = session.scalar(select(func.max(RailWord.seq)).where(RailWord.rail == name, RailWord.act == "stop"))
    void = max(last_stop or 0, unpausing.void_words(session, chain_id))
    words = select(RailWord).where(RailWord.rail == name, RailWord.act == "start", RailWord.seq > void)
    return list(session.scalars(words.order_by(RailWord.seq)))


def _starters(session: Session, rail: Rail, chain_id: int | None, adopt_nonce: int | None) -> set[str]:
    """Name who asked for this very start and may still do so: who lost the right since then does not count."""
    words = _start_words(session, rail, chain_id)
    same = [word for word in words if word.adopt_nonce == adopt_nonce]
    return {word.operator for word in same if word.operator and may_act(session, word.operator, DECIDING)}


def _key(name: str) -> str:
    return f"rail_stop/{name}"


def _picture(session: Session, rail: Rail, chain_id: int | None = None) -> Picture:
    stop, is_off = session.get(RailStop, switch_of(rail, chain_id)), _is_off(session, rail, chain_id)
    words = _start_words(session, rail, chain_id) if is_off else []
    words = [word for word in words if word.operator and may_act(session, word.operator, DECIDING)]
    return {
        "rail": rail.value,
        "chain_id": chain_id,
        "is_stopped": is_off,
        "pause_reason": unpausing.pause_reason(session, chain_id),
        "stopped_by": (stop.operator or SERVICE) if stop else None,
        "stop_cause": stop.cause if stop else None,
        "stopped_at": stop.stopped_at if stop else None,
        "reason": stop.reason if stop else None,
        "start_asked": [{"operator": it.operator, "recorded_at": it.recorded_at} for it in words],
        "waiting_for": None if not is_off else "second_person" if words else "two_people",
    }
