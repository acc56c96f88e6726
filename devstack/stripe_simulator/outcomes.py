"""The status in which a refund begins: by its card, by the balance, or as the control plane planned it."""

from dataclasses import asdict, dataclass

from devstack.stripe_simulator.balance import covers
from devstack.stripe_simulator.calls import Json
from devstack.stripe_simulator.cards import TEST_CARDS
from devstack.stripe_simulator.records import Charge
from devstack.stripe_simulator.store import Tables

_PLANNED = "planned_outcomes"
_REVERSAL_WINDOW = "reversal_window_seconds"
# A refund with one of these reasons has not been taken from the balance yet.
UNBOOKED = ("insufficient_funds", "charge_pending")


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a refund begins; `status` may be a word that Stripe does not have yet."""

    status: str
    pending_reason: str | None = None
    failure_reason: str | None = None
    is_reversal: bool = False

    @property
    def is_booked(self) -> bool:
        """Whether it was taken from the balance."""
        return self.pending_reason not in UNBOOKED


def plan(tables: Tables, outcome: Outcome, *, times: int) -> None:
    """Let the next refunds begin in this way, whatever their card and the balance are."""
    planned = tables.setting(_PLANNED, [])
    tables.set_setting(_PLANNED, [*planned, *(asdict(outcome) for _ in range(times))])


def list_planned(tables: Tables) -> list[Json]:
    """Show how the next refunds will begin."""
    return list(tables.setting(_PLANNED, []))


def reversal_window_seconds(tables: Tables) -> int:
    """Say how long after its charge a refund to a card is still processed as a reversal."""
    return int(tables.setting(_REVERSAL_WINDOW, 0))


def set_reversal_window(tables: Tables, seconds: int) -> None:
    """Choose how long after its charge a refund to a card is still processed as a reversal."""
    tables.set_setting(_REVERSAL_WINDOW, seconds)


def begin(tables: Tables, charge: Charge, amount: int) -> Outcome:
    """Decide how a refund begins; raises `ApiError` if the balance forbids it."""
    planned = list_planned(tables)
    if planned:
        tables.set_setting(_PLANNED, planned[1:])
        return Outcome(**planned[0])
    if charge.status == "pending":
        return Outcome(status="pending", pending_reason="charge_pending")
    if not covers(tables, charge.currency, amount):
        return Outcome(status="pending", pending_reason="insufficient_funds")
    return once_booked(tables, charge)


def once_booked(tables: Tables, charge: Charge) -> Outcome:
    """Decide how a refund goes on when nothing keeps it from being sent any more."""
    card = TEST_CARDS[charge.test_card]
    if card.needs_action:
        return Outcome(status="requires_action")
    is_soon = tables.now() - charge.created < reversal_window_seconds(tables)
    is_reversal = is_soon and card.type == "card"
    if card.is_refund_pending:
        return Outcome(status="pending", pending_reason="processing", is_reversal=is_reversal)
    return Outcome(status="succeeded", is_reversal=is_reversal)
