"""What recorded decisions mean together, read in the order in which they were recorded."""

from collections.abc import Iterable
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from domain.refunds import Identifier

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Action(StrEnum):
    """What an operator decides."""

    APPROVE = "approve"
    REJECT = "reject"


class Decision(BaseModel):
    """One recorded decision of one operator, bound to the digest that they saw."""

    model_config = ConfigDict(frozen=True)

    decision_id: Identifier
    operator: str
    action: Action
    digest: Digest


class Standing(StrEnum):
    """Where the decisions leave the refund."""

    UNDECIDED = "undecided"
    APPROVED = "approved"
    REJECTED = "rejected"


class ResolutionAction(StrEnum):
    """What an operator does about a refund that needs attention."""

    LOOK_AGAIN = "look_again"
    RETRY = "retry"
    PAID_OUTSIDE = "paid_outside"
    GIVE_UP = "give_up"
    CANCEL_NONCE = "cancel_nonce"
    ACCEPT_LOSS = "accept_loss"


def weigh(decisions: Iterable[Decision], *, digest: str, approvals_needed: int) -> Standing:
    """Read decisions in recorded order; the first that settles the matter settles it.

    One rejection is enough. Approvals count only for the present digest, and each person once.
    """
    approvers: set[str] = set()
    for decision in decisions:
        if decision.digest != digest:
            continue
        if decision.action == Action.REJECT:
            return Standing.REJECTED
        approvers.add(decision.operator)
        if len(approvers) >= approvals_needed:
            return Standing.APPROVED
    return Standing.UNDECIDED
