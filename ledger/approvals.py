"""Approvals weighed: who may approve, and whether what was decided still counts."""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property

from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.decisions import Action, Standing, weigh
from domain.decisions import Decision as DecisionFact
from domain.policy import Policy
from domain.verdicts import Verdict
from ledger.billing import weight_minor
from ledger.tables import Client, Decision, Deposit, OwnershipConfirmation, Refund

APPROVING_ROLES = ("approver", "admin")


class Approvals:
    """What is recorded about some refunds, read once for all of them; as fresh as its database transaction."""

    def __init__(self, session: Session, policy: Policy, rows: Sequence[Refund]) -> None:
        self._session = session
        self._handling = policy.handling
        self._refunds = [it.id for it in rows]

    @cached_property
    def _decisions(self) -> dict[str, list[Decision]]:
        found: dict[str, list[Decision]] = defaultdict(list)
        recorded = select(Decision).where(Decision.refund_id.in_(self._refunds)).order_by(Decision.seq)
        for it in self._session.scalars(recorded):
            found[it.refund_id].append(it)
        return found

    @cached_property
    def _confirmers(self) -> set[tuple[str, str]]:
        confirmed = select(OwnershipConfirmation.refund_id, OwnershipConfirmation.operator)
        return {
            (it[0], it[1])
            for it in self._session.execute(confirmed.where(OwnershipConfirmation.refund_id.in_(self._refunds)))
        }

    def standing(self, row: Refund) -> Standing:
        """Weigh a refund's recorded decisions, in recorded order, for its present digest.

        An approver who lost the right since then does not count, so that somebody else can approve.
        """
        facts = [
            DecisionFact.model_construct(
                decision_id=it.decision_id, operator=it.operator, action=Action(it.action), digest=it.digest
            )
            for it in self._decisions[row.id]
            if it.action == Action.REJECT or self.why_not(row, it.operator) is None
        ]
        return weigh(facts, digest=row.digest or "", approvals_needed=self.needed(row))

    def is_approved(self, row: Refund, verdict: Verdict) -> bool:
        """Weigh the decisions once more; an approver who lost the right since then does not count."""
        if self.standing(row) != Standing.APPROVED:
            return False
        good = {
            it.operator
            for it in self._decisions[row.id]
            if (it.digest, it.action) == (row.digest, Action.APPROVE)
            and self.why_not(row, it.operator) is None
            and set(verdict.to_acknowledge) <= set(it.acknowledge["codes"])
        }
        return len(good) >= self.needed(row)

    def needed(self, row: Refund) -> int:
        """Return how many people must approve: as many as were asked for, or more where the policy now says so."""
        deposit = self._session.get(Deposit, row.deposit_id) if row.deposit_id else None
        now = self._handling.approvals_needed(weight_minor(deposit), deposit.currency) if deposit else 1
        return max(row.approvals_needed or 1, now)

    def why_not(self, row: Refund, operator: str) -> str | None:
        """Return why this operator may not approve this refund, or None. Asked again right before paying."""
        client = self._session.get(Client, operator)
        if client is None or not may_act(client):
            return "Only an active approver or admin can approve."
        if operator == row.requester:
            return "Who asked for a refund cannot approve it."
        if not self._handling.confirmer_may_approve and (row.id, operator) in self._confirmers:
            return "Who confirmed the ownership cannot approve the refund."
        deposit = self._session.get(Deposit, row.deposit_id) if row.deposit_id else None
        limit = self._handling.approver_limit_minor(deposit.currency) if deposit else None
        if client.role == "approver" and deposit is not None and limit is not None and weight_minor(deposit) > limit:
            return f"An approver may approve up to {limit} {deposit.currency} (smallest unit); this needs an admin."
        return None


def standing_of(session: Session, row: Refund, policy: Policy) -> Standing:
    """Weigh one refund's decisions."""
    return Approvals(session, policy, [row]).standing(row)


def is_approved(session: Session, row: Refund, verdict: Verdict, policy: Policy) -> bool:
    """Weigh one refund's decisions once more."""
    return Approvals(session, policy, [row]).is_approved(row, verdict)


def needed_now(session: Session, row: Refund, policy: Policy) -> int:
    """Return how many people must approve this one refund."""
    return Approvals(session, policy, [row]).needed(row)


def why_not_approve(session: Session, policy: Policy, row: Refund, operator: str) -> str | None:
    """Return why this operator may not approve this one refund, or None."""
    return Approvals(session, policy, [row]).why_not(row, operator)


def may_act(client: Client | None) -> bool:
    """Tell whether somebody is an active approver or admin."""
    return client is not None and client.is_active and client.role in APPROVING_ROLES
