"""A customer with one deposit, on any rail, and what was promised to them in the end."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Purse:
    """One customer and the one payment that backs their deposit."""

    name: str
    payment: dict[str, Any]
    """As billing feeds it."""
    owner: str
    """Where the money must go back to: an address, or a payment."""
    amount: int
    """What was paid, in the smallest unit of what it was paid in."""
    left: int
    """What the owner had left of it after paying."""
    asset: str = "native"
    """The coin of the rail, or the address of a token."""

    @property
    def account(self) -> str:
        return f"acct_{self.name}"

    @property
    def deposit(self) -> str:
        return f"dep_{self.name}"


@dataclass
class Record:
    """What people asked and were answered about one purse: what the service is held to."""

    purse: Purse
    story: str
    refunds: set[str] = field(default_factory=set)
    """Every id that a request was answered with."""
    approved: bool = False
    rejected: bool = False
    withdrawn: bool = False
    spent: bool = False
    is_told: bool = False
    """The story came to its end."""
    trouble: list[str] = field(default_factory=list)
    """Answers that no caller should ever get."""

    @property
    def is_due(self) -> bool:
        """Tell whether the money must go back: what was accepted last, and by whom, does not matter."""
        return self.approved and not (self.rejected or self.withdrawn or self.spent)
