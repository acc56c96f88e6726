"""What the chain, the endpoints' journal, our database and the API show at the end, and what is wrong with it.

Nothing of the product is imported here: who judges must not believe what it believes. A test holds that.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chaos.judgement import Judgement
from chaos.purses import Purse, Record

BOOKS = ("spendable_minor", "held_minor", "used_minor", "refunded_minor", "charged_back_minor")
UNPAID_ENDS = ("rejected", "withdrawn", "ineligible", "expired", "duplicate")


@dataclass(frozen=True)
class Move:
    """A chain transaction of the wallet: one that a block of the chain holds, or one decoded from signed bytes."""

    tx_hash: str
    nonce: int
    to: str
    amount: int
    sender: str = ""
    asset: str = "native"


@dataclass(frozen=True)
class PayoutRow:
    """One payout as our database tells of it."""

    refund: str
    attempt: int
    status: str
    nonce: int | None
    destination: str


@dataclass
class Evidence:
    """Everything that is judged."""

    records: Sequence[Record]
    wallet: str
    first_nonce: int
    balances_at_rest: Mapping[str, int]
    """What each owner held when nothing was open any more, before everything signed was sent again."""
    nonces_at_rest: Sequence[int]
    """The nonces that the chain held then."""
    balances: Mapping[str, int]
    """What each owner holds at the end."""
    moves: Sequence[Move]
    """What the wallet sent, at the end."""
    signed: Sequence[Move]
    """Every signed chain transaction that an endpoint ever saw."""
    statuses: Mapping[str, str]
    """Refund id to status, as the API tells."""
    books: Mapping[str, Mapping[str, Any]]
    """Account to its balance, as the API tells."""
    payouts: Sequence[PayoutRow]
    stored: frozenset[str]
    """The hashes of signed bytes that our database knows."""
    active_holds: frozenset[str]
    """The refunds that hold a deposit."""
    credit_minor: int
    quiet_seconds: float | None
    """How long it took until nothing was open any more after faults stopped; None where that never came."""


def judge(evidence: Evidence) -> Judgement:
    """Count what was paid by balances alone, then hold everything else against it."""
    told = Judgement(asked=len(evidence.records), due=sum(it.is_due for it in evidence.records))
    told.breaches += judge_signatures(evidence.wallet, evidence.signed, evidence.stored)
    _judge_chain(evidence, told)
    for record in evidence.records:
        _judge_purse(evidence, record, told)
    _judge_rows(evidence, told)
    if evidence.quiet_seconds is None:
        told.breaches.append("something was still open when the time to come to rest was over")
    return told


def _judge_purse(evidence: Evidence, record: Record, told: Judgement) -> None:
    purse = record.purse
    received = evidence.balances[purse.owner] - purse.left
    is_paid = received == purse.amount
    if is_paid and record.is_due and evidence.balances_at_rest[purse.owner] == purse.left:
        told.lost += 1
        told.breaches.append(f"{purse.name} got nothing until its signed bytes were sent again from outside")
    elif is_paid and record.is_due:
        told.paid_once += 1
    elif is_paid:
        told.breaches.append(f"{purse.name} was paid, and it was {_why_not(record)}")
    elif received > purse.amount:
        told.twice += 1
        told.breaches.append(f"{purse.name} got {received} for a payment of {purse.amount}")
    elif received != 0:
        told.breaches.append(f"{purse.name} got {received}, neither nothing nor its {purse.amount}")
    elif record.is_due:
        told.lost += 1
        told.breaches.append(f"{purse.name} was approved and got nothing ({_statuses(evidence, record)})")
    else:
        told.unpaid += 1
    told.breaches += [f"{purse.name} ({record.story}): {it}" for it in record.trouble]
    if not record.is_told:
        told.breaches.append(f"{purse.name}: its story ({record.story}) did not come to its end")
    _judge_refunds(evidence, record, is_paid, told)
    _judge_books(evidence, purse, record, is_paid, told)


def _judge_refunds(evidence: Evidence, record: Record, is_paid: bool, told: Judgement) -> None:
    """One refund of a purse may be paid; all others must have come to an unpaid end."""
    statuses = Counter(evidence.statuses.get(refund, "unknown to the API") for refund in record.refunds)
    paid, others = statuses.pop("refunded", 0), [it for it in statuses if it not in UNPAID_ENDS]
    if paid != int(is_paid):
        told.breaches.append(
            f"{record.purse.name} was {'paid' if is_paid else 'not paid'}; refunds: {_statuses(evidence, record)}"
        )
    elif others:
        told.breaches.append(f"{record.purse.name} did not come to an end: {_statuses(evidence, record)}")


def _judge_books(evidence: Evidence, purse: Purse, record: Record, is_paid: bool, told: Judgement) -> None:
    books = {name: int(evidence.books[purse.account][name]) for name in BOOKS}
    if sum(books.values()) != evidence.credit_minor or min(books.values()) < 0:
        told.breaches.append(f"the books of {purse.account} do not balance: {books}")
    if books["refunded_minor"] != (evidence.credit_minor if is_paid else 0):
        told.breaches.append(f"{purse.account} was {'' if is_paid else 'not '}paid, and its books say {books}")
    if not is_paid and not record.is_due and books["held_minor"]:
        told.breaches.append(f"{purse.account} is still held, and nothing will be paid: {books}")


def _judge_chain(evidence: Evidence, told: Judgement) -> None:
    """Each chain transaction of the wallet pays one purse exactly, or cancels a nonce; the nonces have no gaps."""
    owed = {record.purse.owner.lower(): record.purse for record in evidence.records}
    for move in evidence.moves:
        is_cancel = move.to.lower() == evidence.wallet.lower() and move.amount == 0
        purse = owed.get(move.to.lower())
        if not is_cancel and (purse is None or (move.amount, move.asset) != (purse.amount, purse.asset)):
            moved = f"{move.amount} ({move.asset})"
            told.breaches.append(f"nonce {move.nonce} moved {moved} to {move.to}, which nobody is owed")
    used = sorted(evidence.nonces_at_rest)
    top = max([*used, *(row.nonce for row in evidence.payouts if row.nonce is not None)], default=-1)
    missing = sorted(set(range(evidence.first_nonce, top + 1)) - set(used))
    told.details = {"nonces": len(evidence.moves), "gaps": len(missing)}
    if missing:
        told.breaches.append(f"these nonces were assigned and are in no block: {missing}")


def judge_signatures(wallet: str, signed: Sequence[Move], stored: frozenset[str]) -> list[str]:
    """One nonce names one payout for ever, one payout one nonce; what was sent was stored."""
    breaches: list[str] = []
    by_nonce, by_owner = defaultdict(set), defaultdict(set)
    for it in signed:
        if it.sender.lower() != wallet.lower():
            breaches.append(f"{it.tx_hash} was sent, signed by {it.sender}")
            continue
        if it.tx_hash not in stored:
            breaches.append(f"{it.tx_hash} (nonce {it.nonce}) was sent and is not in our database")
        if it.to.lower() != wallet.lower() or it.amount != 0:  # else it cancels a nonce
            by_nonce[it.nonce].add((it.to.lower(), it.amount, it.asset))
            by_owner[it.to.lower()].add(it.nonce)
    breaches += [f"nonce {nonce} was signed for {them}" for nonce, them in by_nonce.items() if len(them) > 1]
    breaches += [
        f"{owner} was signed for under the nonces {sorted(them)}" for owner, them in by_owner.items() if len(them) > 1
    ]
    return breaches


def _judge_rows(evidence: Evidence, told: Judgement) -> None:
    """Our own database must tell the same as the chain."""
    owners = {refund: record.purse.owner for record in evidence.records for refund in record.refunds}
    paid_to = Counter(move.to.lower() for move in evidence.moves)
    for row in evidence.payouts:
        owner = owners.get(row.refund)
        if owner is None or row.destination.lower() != owner.lower():
            told.breaches.append(f"the payout of {row.refund} goes to {row.destination}, the payer is {owner}")
        if (row.status == "succeeded") != (paid_to[row.destination.lower()] > 0):
            told.breaches.append(
                f"the payout of {row.refund} is {row.status}; the chain holds it: {paid_to[row.destination.lower()]}"
            )
    nonces = [row.nonce for row in evidence.payouts if row.nonce is not None]
    if len(nonces) != len(set(nonces)):
        told.breaches.append(f"our database gave a nonce twice: {sorted(nonces)}")
    over = [it for it in evidence.active_holds if evidence.statuses.get(it) in (*UNPAID_ENDS, "refunded")]
    told.breaches += [f"{refund} has ended and still holds its deposit" for refund in over]


def _statuses(evidence: Evidence, record: Record) -> str:
    return (
        ", ".join(f"{it} is {evidence.statuses.get(it, 'unknown')}" for it in sorted(record.refunds)) or "never asked"
    )


def _why_not(record: Record) -> str:
    reasons = ("rejected", "withdrawn", "spent")
    return " and ".join(it for it in reasons if getattr(record, it)) or "never approved"
