"""Tells whether a ticket asked before, and what it asks otherwise now: one ticket asks for one refund."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from cli.calls import Api, Refused, refund_path
from cli.exits import CommandFailed, Exit
from cli.output import plain, say
from domain.errors import InvalidRequest
from domain.refunds import RefundRequest, WaitingFor, refund_id

Refund = Mapping[str, Any]

PROOF_BROUGHT = "proof.received"
OF_ANOTHER_REFUND = frozenset(["channel", "account.id", "rail", "deposit_id", "payment_proof"])
LOCALE_DEFAULT = RefundRequest.model_fields["locale"].default


class Difference(NamedTuple):
    """One field that a known ticket asks otherwise."""

    field: str
    asked: Any
    recorded: Any

    def __str__(self) -> str:
        return f"  {self.field}: asked now {plain(self.asked)}, recorded {plain(self.recorded)}"


class Asked(NamedTuple):
    """A request as it is compared."""

    request: RefundRequest
    is_time_given: bool


def read(body: Any, *, is_time_given: bool) -> Asked | None:
    """Read a request to compare it; None where a field breaks a rule, which the API will name."""
    try:
        return Asked(RefundRequest.parse(body), is_time_given)
    except InvalidRequest:
        return None


def find(api: Api, asked: Asked | None) -> dict[str, Any] | None:
    """Return the refund that this ticket asked for already."""
    if asked is None:
        return None
    try:
        known: dict[str, Any] = api.get(refund_path(refund_id(asked.request.ticket)))
    except Refused as refusal:
        if refusal.type == "not-found":
            return None
        raise
    return known


def refuse_another_refund(asked: Asked | None, known: Refund | None) -> None:
    """Raise `CommandFailed` where the ticket is known and what it asks now can only be another refund."""
    if asked and known and any(it.field in OF_ANOTHER_REFUND for it in differences(asked, known)):
        refuse_what_differs(asked, known)


def refuse_what_differs(asked: Asked | None, refund: Refund) -> None:
    """Raise `CommandFailed` naming all that is asked otherwise than recorded."""
    if asked is not None and (found := differences(asked, refund)):
        lines = [f"{_known(refund)} This differs:", *map(str, found), *_not_compared(asked, refund)]
        lines.append(
            f"Nothing of it was recorded: one ticket asks for one refund. See `refunds show {refund['id']}`."
        )
        raise CommandFailed(Exit.REFUSED, "\n".join(lines))


def say_that_it_is_known(asked: Asked | None, refund: Refund) -> None:
    """Say that the same was asked before, and what of it nobody can compare here."""
    say(f"{_known(refund)} Nothing new is recorded.")
    for line in _not_compared(asked, refund) if asked else ():
        say(line)


def brought_a_proof(known: Refund, refund: Refund) -> bool:
    """Tell whether the repetition brought the proof of payment that was missing."""
    before, after = ([it["event"] for it in one["timeline"]].count(PROOF_BROUGHT) for one in (known, refund))
    return after > before


def differences(asked: Asked, refund: Refund) -> list[Difference]:
    """List what a request asks otherwise than the refund of its ticket; what it leaves out is no difference."""
    request, recorded_at = asked.request, datetime.fromisoformat(refund["requested_at"])
    pairs = [
        ("channel", request.channel.value, refund["channel"]),
        ("account.id", request.account.id, refund["account_id"]),
        ("rail", request.rail.value, refund["rail"]),
        ("deposit_id", request.deposit_id if _tells_deposit(refund) else None, refund["deposit_id"]),
        ("payment_proof", _proof(request, refund), _payment(refund)),
        ("ticket.url", request.ticket.url, refund["ticket"]["url"]),
        ("requested_at", request.requested_at if asked.is_time_given else None, recorded_at),
    ]
    return [Difference(*pair) for pair in pairs if pair[1] is not None and pair[1] != pair[2]]


def _not_compared(asked: Asked, refund: Refund) -> list[str]:
    """Name what a request says and the refund does not show."""
    request = asked.request
    hidden = {
        "account.username": request.account.username is not None,
        "deposit_id": request.deposit_id is not None and not _tells_deposit(refund),
        "payment_proof": request.payment_proof is not None and _proof(request, refund) is None,
        "locale": request.locale != LOCALE_DEFAULT,
    }
    names = ", ".join(field for field, is_hidden in hidden.items() if is_hidden)
    return [f"Not compared, as the refund does not show it: {names}."] if names else []


def _known(refund: Refund) -> str:
    ticket = plain(f"{refund['ticket']['system']}:{refund['ticket']['id']}")
    return f"{ticket} is known: it asked for refund {refund['id']} of account {plain(refund['account_id'])} before."


def _tells_deposit(refund: Refund) -> bool:
    """Tell whether it is known which deposit is meant, or known that nobody said so yet."""
    return refund["deposit_id"] is not None or refund["waiting_for"] == WaitingFor.DEPOSIT


def _payment(refund: Refund) -> str | None:
    payment = refund["payment"]
    if payment is None:
        return None
    told: str = payment["payment_intent"] if payment["rail"] == "card" else payment["tx_hash"]
    return told


def _proof(request: RefundRequest, refund: Refund) -> str | None:
    """Return the proof as payments are written; None where nobody here can compare it."""
    proof = request.payment_proof
    if proof is None or refund["payment"] is None or refund["waiting_for"] == WaitingFor.PAYMENT_PROOF:
        return None  # while a mail's proof is missing, any other one is welcome, and the run judges it
    if proof.startswith(("ch_", "py_")):
        return None  # whose a charge is, Stripe alone knows
    return proof.lower() if proof.startswith("0x") else proof
