"""What people decide, recorded by their own authenticated call, in one transaction that checks everything."""

from typing import Any

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.decisions import Action, ResolutionAction, Standing
from domain.errors import AlreadyDecided, Conflict, InvalidRequest, NotAllowed, StaleDigest, WrongState
from domain.policy import Policy
from domain.refunds import WITHDRAWABLE, RefundStatus
from domain.verdicts import Verdict
from ledger import audit, cancelling, cases, contests, resolving
from ledger.approvals import may_act, standing_of, why_not_approve
from ledger.database import Database
from ledger.tables import (
    Client,
    Decision,
    Deposit,
    Hold,
    OwnershipConfirmation,
    Payout,
    Refund,
    Resolution,
    Withdrawal,
)


class NewDecision(BaseModel):
    """An operator's decision as it comes in."""

    model_config = ConfigDict(frozen=True)

    decision_id: str
    action: Action
    digest: str
    reason: str | None = None
    acknowledge: tuple[str, ...] = ()


class NewConfirmation(BaseModel):
    """An operator's word on the ownership as it comes in."""

    model_config = ConfigDict(frozen=True)

    confirmation_id: str
    action: str
    evidence: str
    deposit_id: str | None = None
    is_request_time_confirmed: bool = False


class NewResolution(BaseModel):
    """What an operator wants done about a refund that needs attention."""

    model_config = ConfigDict(frozen=True)

    resolution_id: str
    action: ResolutionAction
    reason: str
    evidence: str | None = None


class Records:
    """Records what people decide. The same id with the same content again changes nothing."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def decide(self, refund_id: str, decision: NewDecision, *, operator: str, announce: bool = True) -> None:
        """Record an approval or rejection of exactly what the digest names.

        Without `announce` nobody tells the run: the caller brings the news by other means, and a run that
        hears nothing reads its records at its next reminder.
        """
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            known = session.scalar(select(Decision).where(Decision.decision_id == decision.decision_id))
            if known is not None:
                same = (known.refund_id, known.operator, known.action, known.digest)
                _refuse_other(same == (refund_id, operator, decision.action, decision.digest), "decision_id")
                return
            _check_role(session, operator)
            self._check_decision(session, row, decision, operator)
            salt = audit.new_salt()
            session.add(
                Decision(
                    **decision.model_dump(exclude={"action", "acknowledge"}),
                    refund_id=refund_id,
                    operator=operator,
                    action=decision.action.value,
                    acknowledge={"codes": list(decision.acknowledge)},
                    salt=salt,
                    recorded_at=self._database.now(),
                )
            )
            detail = {
                "decision_id": decision.decision_id,
                "digest": decision.digest,
                "acknowledge": list(decision.acknowledge),
                "reason_sealed": audit.sealed(salt, decision.reason or ""),
            }
            self._recorded(session, row, f"decision.{decision.action}", operator, detail, announce=announce)

    def _check_decision(self, session: Session, row: Refund, decision: NewDecision, operator: str) -> None:
        if row.status != RefundStatus.AWAITING_APPROVAL or row.digest is None:
            raise WrongState(f"take the decision to {decision.action}", row.status)
        if session.get(Withdrawal, row.id) is not None:
            raise AlreadyDecided("withdrawn")
        if decision.digest != row.digest:
            raise StaleDigest(row.digest)
        standing = standing_of(session, row, self._policy)
        if standing != Standing.UNDECIDED:
            raise AlreadyDecided(standing)
        earlier = select(Decision.seq).where(
            Decision.refund_id == row.id, Decision.operator == operator, Decision.digest == decision.digest
        )
        if session.scalar(earlier) is not None:
            raise AlreadyDecided("decided by you")
        if decision.action == Action.REJECT:
            if not decision.reason:
                raise InvalidRequest("reason", "required", "is needed to reject")
            return
        refusal = why_not_approve(session, self._policy, row, operator)
        if refusal is not None:
            raise NotAllowed(refusal, field="operator", rule="distinct_people")
        unread = set(Verdict.model_validate(row.verdict).to_acknowledge) - set(decision.acknowledge)
        if unread:
            raise InvalidRequest("acknowledge", "names_reviews", f"must name {', '.join(sorted(unread))}")

    def confirm_ownership(self, refund_id: str, confirmation: NewConfirmation, *, operator: str) -> None:
        """Record whether the requester owns the account, and what else only a person can tell."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            known = session.get(OwnershipConfirmation, confirmation.confirmation_id)
            if known is not None:
                same = (known.refund_id, known.operator, known.action, known.deposit_id)
                told = (refund_id, operator, confirmation.action, confirmation.deposit_id)
                _refuse_other(same == told, "confirmation_id")
                return
            _check_role(session, operator)
            self._check_confirmation(session, row, confirmation)
            salt = audit.new_salt()
            session.add(
                OwnershipConfirmation(
                    **confirmation.model_dump(),
                    refund_id=refund_id,
                    operator=operator,
                    salt=salt,
                    recorded_at=self._database.now(),
                )
            )
            detail = {
                "confirmation_id": confirmation.confirmation_id,
                "deposit_id": confirmation.deposit_id,
                "evidence_sealed": audit.sealed(salt, confirmation.evidence),
            }
            self._recorded(session, row, f"ownership.{confirmation.action}", operator, detail)

    def _check_confirmation(self, session: Session, row: Refund, confirmation: NewConfirmation) -> None:
        if confirmation.action not in ("confirm", "deny"):
            raise InvalidRequest("action", "one_of", "must be confirm or deny")
        if row.status != RefundStatus.AWAITING_OWNERSHIP:
            raise WrongState("have its ownership confirmed", row.status)
        if confirmation.action == "deny":
            return
        if row.waiting_for == "payment_proof":
            raise Conflict(
                "A mail must bring a proof of payment first; a person's word does not replace it.",
                field="payment_proof",
                rule="proof_before_confirmation",
            )
        if confirmation.deposit_id is not None:
            deposit = session.get(Deposit, confirmation.deposit_id)
            if deposit is None or (deposit.account_id, deposit.rail) != (row.account_id, row.rail):
                raise InvalidRequest("deposit_id", "known_deposit", "is not a deposit of this account on this rail")
        elif row.deposit_id is None:
            raise InvalidRequest("deposit_id", "required", "is needed, because the deposit is not known yet")
        if row.waiting_for == "request_time" and not confirmation.is_request_time_confirmed:
            raise InvalidRequest("requested_at_confirmed", "required", "is what this refund waits for")

    def withdraw(self, refund_id: str, reason: str, *, client: str) -> None:
        """Record that the customer changed their mind; from `paying` on nobody can withdraw."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            if session.get(Withdrawal, refund_id) is not None:
                return
            if RefundStatus(row.status) not in WITHDRAWABLE:
                raise WrongState("be withdrawn", row.status)
            if standing_of(session, row, self._policy) == Standing.REJECTED:
                raise AlreadyDecided(Standing.REJECTED)
            salt = audit.new_salt()
            session.add(
                Withdrawal(
                    refund_id=refund_id, client=client, reason=reason, salt=salt, recorded_at=self._database.now()
                )
            )
            detail = {"reason_sealed": audit.sealed(salt, reason)}
            self._recorded(session, row, "withdrawal.recorded", client, detail)

    def resolve(self, refund_id: str, resolution: NewResolution, *, operator: str) -> None:
        """Record what to do about a refund that needs attention; refuse what could pay twice."""
        with self._database.write() as session:
            row = cases.get(session, refund_id)
            known = session.scalar(select(Resolution).where(Resolution.resolution_id == resolution.resolution_id))
            if known is not None:
                same = (known.refund_id, known.operator, known.action, known.evidence)
                told = (refund_id, operator, resolution.action, resolution.evidence)
                _refuse_other(same == told, "resolution_id")
                return
            _check_role(session, operator)
            self._check_resolution(session, row, resolution, operator)
            if resolution.action == ResolutionAction.CANCEL_NONCE:
                session.get_one(Payout, (row.id, row.attempt)).is_cancel_asked = True
            salt = audit.new_salt()
            session.add(
                Resolution(
                    **resolution.model_dump(exclude={"action"}),
                    action=resolution.action.value,
                    refund_id=refund_id,
                    operator=operator,
                    attempt=row.attempt,
                    salt=salt,
                    # A refund that is still being paid reads no resolutions; its wallet does what is asked.
                    is_applied=row.status != RefundStatus.NEEDS_ATTENTION,
                    recorded_at=self._database.now(),
                )
            )
            detail = {
                "resolution_id": resolution.resolution_id,
                "reason_sealed": audit.sealed(salt, resolution.reason + (resolution.evidence or "")),
            }
            self._recorded(session, row, f"resolution.{resolution.action}", operator, detail)

    def _check_resolution(self, session: Session, row: Refund, resolution: NewResolution, operator: str) -> None:
        payout = session.get(Payout, (row.id, row.attempt))
        if resolution.action == ResolutionAction.CANCEL_NONCE:
            cancelling.require_cancelable(session, row, payout)
            return
        if row.status != RefundStatus.NEEDS_ATTENTION:
            raise WrongState(f"be resolved by {resolution.action}", row.status)
        if resolution.action in (ResolutionAction.LOOK_AGAIN, ResolutionAction.ACCEPT_LOSS):
            if resolution.action == ResolutionAction.ACCEPT_LOSS:
                contests.require_acceptable(session, row, payout)
            return
        resolving.require_dead(session, row, resolution.action)
        if resolution.action == ResolutionAction.GIVE_UP:
            return
        contests.refuse_while_contested(session, row)
        if row.deposit_id is None or not cases.is_whole(session, session.get(Hold, row.id)):
            raise Conflict("The deposit is not held whole for this refund.", field="action", rule="whole_hold")
        if resolution.action == ResolutionAction.RETRY:
            if Verdict.model_validate(row.verdict).destination is None:
                raise Conflict("The way back is not known yet.", field="action", rule="route_known")
            return
        if resolution.action == ResolutionAction.PAID_OUTSIDE:
            self._check_paid_outside(session, row, resolution, operator)

    def _check_paid_outside(self, session: Session, row: Refund, resolution: NewResolution, operator: str) -> None:
        if not resolution.evidence:
            raise InvalidRequest("evidence", "required", "is needed to say that it was paid outside")
        refusal = why_not_approve(session, self._policy, row, operator)
        if refusal is not None:
            raise NotAllowed(refusal, field="operator", rule="distinct_people")

    def _recorded(
        self,
        session: Session,
        row: Refund,
        event: str,
        actor: str,
        detail: dict[str, Any],
        *,
        announce: bool = True,
    ) -> None:
        """Write the audit entry, and that the run has news to read."""
        cases.note(session, self._database, row, event, actor=actor, detail=detail)
        if announce:
            row.news_at = self._database.now()


def _check_role(session: Session, operator: str) -> None:
    if not may_act(session.get(Client, operator)):
        raise NotAllowed("Only an active approver or admin may do this.", field="operator", rule="role")


def _refuse_other(is_same: bool, field: str) -> None:
    if not is_same:
        raise Conflict("This id was used for something else before.", field=field, rule="one_use")
