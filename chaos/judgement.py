"""What a judge tells of a run, on any rail."""

from dataclasses import dataclass, field


@dataclass
class Judgement:
    """The numbers that are told, and every breach in one sentence."""

    asked: int = 0
    due: int = 0
    paid_once: int = 0
    twice: int = 0
    lost: int = 0
    unpaid: int = 0
    """Rightly: rejected, withdrawn or spent."""
    waiting: int = 0
    """Owed, and rightly before an operator."""
    details: dict[str, object] = field(default_factory=dict)
    """What only this rail counts."""
    breaches: list[str] = field(default_factory=list)
