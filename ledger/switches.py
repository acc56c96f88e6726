"""The names of the switches that people turn: a rail, or one chain of the crypto rail."""

from sqlalchemy.orm import Session

from ledger.tables import RailStop


def switch_of(rail: str, chain_id: int | None = None) -> str:
    """Name a switch: `card`, `crypto`, or `crypto/31337` for the wallet of one chain."""
    return str(rail) if chain_id is None else f"{rail}/{chain_id}"


def is_stopped(session: Session, rail: str, chain_id: int | None) -> bool:
    """Tell whether people stopped the rail, or this chain of it."""
    return any(session.get(RailStop, name) is not None for name in {switch_of(rail), switch_of(rail, chain_id)})


def has_stopped_itself(session: Session, rail: str) -> bool:
    """Tell whether the service itself stopped the rail: its provider answers nobody, and no refund is at fault."""
    stop = session.get(RailStop, switch_of(rail))
    return stop is not None and stop.operator is None
