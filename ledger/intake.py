"""Takes a request in: names what is wrong with it, or writes its row, once per ticket."""

from datetime import timedelta

from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from domain.errors import Conflict, InvalidRequest
from domain.policy import Policy
from domain.refunds import (
    AccountRef,
    Channel,
    OwnershipLevel,
    Rail,
    RefundRequest,
    RefundState,
    RefundStatus,
    StatusReason,
    refund_id,
)
from ledger import audit, cases
from ledger.database import Database
from ledger.tables import Account, Deposit, Refund


class Requester(BaseModel):
    """Who hands the request in. Only an authenticated help desk can vouch that the customer is logged in."""

    model_config = ConfigDict(frozen=True)

    name: str
    is_helpdesk: bool


DIRECT = Requester(name="temporal", is_helpdesk=False)


class Intake:
    """Accepts requests. The same ticket again returns the same refund, whatever else it says."""

    def __init__(self, database: Database, policy: Policy) -> None:
        self._database = database
        self._policy = policy

    def find(self, refund: str) -> RefundState | None:
        """Return the state of a refund whose row exists."""
        with self._database.read() as session:
            row = session.get(Refund, refund)
            return cases.state_of(session, row) if row else None

    def accept(self, request: RefundRequest, requester: Requester) -> RefundState:
        """Write the row of a new refund; raise `InvalidRequest` naming field and rule, and write nothing."""
        with self._database.write() as session:
            row = session.get(Refund, refund_id(request.ticket))
            if row is not None and row.requester == DIRECT.name != requester.name:
                _refuse_other_account(session, row, request)
            if row is None:
                account = self.check(session, request)
                row = self._insert(session, request, requester, account)
            elif self._answers_what_was_missing(session, row, request):
                cases.note(session, self._database, row, "proof.received", actor=requester.name)
                row.news_at = self._database.now()
            return cases.state_of(session, row)

    def accept_direct(self, request: RefundRequest) -> RefundState:
        """Write the row of a refund whose run was started without the API: nobody vouches for the requester."""
        return self.accept(request, DIRECT)

    def check(self, session: Session, request: RefundRequest) -> Account:
        """Raise `InvalidRequest` for what no refund can come of; return the account that is meant."""
        skew = timedelta(seconds=self._policy.handling.clock_skew_seconds)
        if request.requested_at - self._database.now() > skew:
            raise InvalidRequest("requested_at", "not_in_future", "lies in the future")
        if request.session_claim is not None:
            raise InvalidRequest("session_claim", "verifier_configured", "no verifier of claims is set up here")
        account = _account(session, request.account)
        own = list(session.scalars(select(Deposit).where(Deposit.account_id == account.id)))
        if not any(deposit.rail == request.rail for deposit in own):
            raise InvalidRequest("rail", "deposit_on_rail", f"the account has no deposit paid by {request.rail}")
        named = None
        if request.deposit_id is not None:
            named = next((deposit for deposit in own if deposit.id == request.deposit_id), None)
            if named is None:
                raise InvalidRequest("deposit_id", "known_deposit", "is not a deposit of this account")
            if named.rail != request.rail:
                raise InvalidRequest("rail", "deposit_rail", f"the deposit was paid by {named.rail}")
        if request.payment_proof is not None:
            self._check_proof(request, request.payment_proof, own, named)
        return account

    def _check_proof(self, request: RefundRequest, proof: str, own: list[Deposit], named: Deposit | None) -> None:
        if proof_rail(proof) != request.rail:
            raise InvalidRequest("payment_proof", "rail", f"is not the proof of a payment by {request.rail}")
        if is_charge(proof):
            return  # only the card processor can say whose it is; the run asks it
        proved = [deposit.id for deposit in own if proves(proof, deposit)]
        if not proved and request.channel == Channel.TICKET:
            raise InvalidRequest("payment_proof", "matches_deposit", "matches no deposit of this account")
        if proved and named is not None and named.id not in proved:
            raise InvalidRequest("payment_proof", "same_deposit", "proves another deposit than deposit_id names")

    def _insert(self, session: Session, request: RefundRequest, requester: Requester, account: Account) -> Refund:
        now = self._database.now()
        vouched = requester.is_helpdesk and request.channel == Channel.TICKET
        row = Refund(
            id=refund_id(request.ticket),
            version=0,
            status=RefundStatus.CHECKING.value,
            ticket_system=request.ticket.system,
            ticket_id=request.ticket.id,
            ticket_url=request.ticket.url,
            channel=request.channel.value,
            requester=requester.name,
            account_id=account.id,
            rail=request.rail.value,
            asked_deposit_id=request.deposit_id,
            payment_proof=normalised(request.payment_proof),
            locale=request.locale,
            requested_at=request.requested_at,
            received_at=now,
            pay_due_at=request.requested_at + timedelta(days=self._policy.handling.pay_deadline_days),
            pay_marks_told=0,
            ownership=(OwnershipLevel.HELPDESK_ASSERTED if vouched else OwnershipLevel.UNVERIFIED).value,
            attempt=1,
            salt=audit.new_salt(),
            news_at=now,
            created_at=now,
            updated_at=now,
        )
        session.add(row)
        session.flush()
        detail = {"channel": row.channel, "rail": row.rail, "ownership": row.ownership}
        cases.note(session, self._database, row, "refund.requested", actor=requester.name, detail=detail)
        return row

    def _answers_what_was_missing(self, session: Session, row: Refund, request: RefundRequest) -> bool:
        """Tell whether a repeated mail brings the proof that the first one lacked."""
        if request.payment_proof is None or row.waiting_for != "payment_proof":
            return False
        proof = normalised(request.payment_proof)
        if proof == row.payment_proof or proof_rail(request.payment_proof) != row.rail:
            return False
        # The wrong proof is forgotten: what is missing is now a proof that nobody has read yet.
        row.payment_proof, row.status_reason = proof, StatusReason.PROOF_MISSING
        return True


def has_unread_proof(row: Refund) -> bool:
    """Tell whether a repeated mail brought a proof since the refund began to wait for one."""
    return row.status_reason == StatusReason.PROOF_MISSING and row.payment_proof is not None


def _refuse_other_account(session: Session, row: Refund, request: RefundRequest) -> None:
    """Whoever can start runs in Temporal must not be able to take a customer's ticket for another account."""
    if _account(session, request.account).id != row.account_id:
        raise Conflict(
            "A run that nobody vouched for took this ticket first.",
            field="account",
            rule="same_account",
        )


def proof_rail(proof: str) -> Rail:
    """Tell which rail a payment proof belongs to."""
    return Rail.CRYPTO if proof.startswith("0x") else Rail.CARD


def is_charge(proof: str) -> bool:
    """Tell whether a proof names a charge, whose payment only the card processor knows."""
    return proof.startswith(("ch_", "py_"))


def proves(proof: str, deposit: Deposit) -> bool:
    """Tell whether a proof names the payment behind a deposit."""
    return proof == deposit.payment_intent or proof.lower() == deposit.tx_hash


def normalised(proof: str | None) -> str | None:
    """Return a proof in the one form in which it is compared."""
    return proof.lower() if proof is not None and proof.startswith("0x") else proof


def _account(session: Session, reference: AccountRef) -> Account:
    if reference.id is not None:
        account = session.get(Account, reference.id)
        field = "account.id"
    else:
        account = session.scalar(select(Account).where(Account.username == reference.username))
        field = "account.username"
    if account is None:
        raise InvalidRequest(field, "known_account", "is not a known account")
    return account
