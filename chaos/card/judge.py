"""What Stripe's ledger, the proxy's journal, our database and the API show at the end, and what is wrong with it.

Nothing of the product is imported here: who judges must not believe what it believes. A test holds that.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chaos.card.journal import Post
from chaos.judgement import Judgement
from chaos.purses import Purse, Record

BOOKS = ("spendable_minor", "held_minor", "used_minor", "refunded_minor", "charged_back_minor")
UNPAID_ENDS = ("rejected", "withdrawn", "ineligible", "expired", "duplicate")
DEAD = ("failed", "canceled")
SETTLED_DISPUTES = ("won", "warning_closed")


@dataclass(frozen=True)
class Payback:
    """One refund as Stripe's ledger holds it. `refund_id` and `attempt` are what its metadata say."""

    ref: str
    payment_intent: str
    amount: int
    status: str
    refund_id: str = ""
    attempt: str = ""

    @property
    def is_live(self) -> bool:
        return self.status not in DEAD


@dataclass(frozen=True)
class Told:
    """One refund as the API tells of it."""

    status: str
    waiting_for: str | None = None

    @property
    def is_before_operator(self) -> bool:
        return self.status == "needs_attention" or (
            self.status == "awaiting_approval" and self.waiting_for == "operator"
        )

    @property
    def is_over(self) -> bool:
        return self.is_before_operator or self.status in (*UNPAID_ENDS, "refunded")


@dataclass(frozen=True)
class PayoutRow:
    """One payout as our database tells of it."""

    refund: str
    attempt: int
    status: str
    ref: str | None
    payment_intent: str


@dataclass
class Evidence:
    """Everything that is judged."""

    records: Sequence[Record]
    paybacks_at_rest: Sequence[Payback]
    """Stripe's refunds when nothing was open any more, before every lost request was delivered again."""
    paybacks: Sequence[Payback]
    """Stripe's refunds at the end."""
    disputes: Mapping[str, Sequence[str]]
    """Payment to the statuses of its disputes."""
    posts: Sequence[Post]
    """Every request for a refund that the proxy ever saw."""
    outside: frozenset[str]
    """Payments that somebody else refunded, or tried to: that refund may fail as any other."""
    retried: frozenset[tuple[str, str]]
    """The refund and attempt of every payout that an operator asked for anew."""
    told_early: Sequence[str]
    """Refunds that were told as refunded while the bank had not taken them yet."""
    told: Mapping[str, Told]
    books: Mapping[str, Mapping[str, Any]]
    payouts: Sequence[PayoutRow]
    active_holds: frozenset[str]
    credit_minor: int
    quiet_seconds: float | None
    """How long it took until nothing was open any more after faults stopped; None where that never came."""
    late_refs: frozenset[str] = frozenset()
    """Refunds made by requests that arrived long after they were given up."""
    ledger: Mapping[str, list[Payback]] = field(init=False)

    def __post_init__(self) -> None:
        by_payment: dict[str, list[Payback]] = defaultdict(list)
        for it in self.paybacks:
            by_payment[it.payment_intent].append(it)
        self.ledger = by_payment

    def of(self, purse: Purse) -> list[Payback]:
        return self.ledger.get(purse.owner, [])

    def live(self, purse: Purse) -> list[Payback]:
        return [it for it in self.of(purse) if it.is_live]

    def is_ours(self, payback: Payback) -> bool:
        """Tell whether we made it: who refunds past us writes no refund of ours beside it."""
        return bool(payback.refund_id) or payback.payment_intent not in self.outside

    def is_paid_by_us(self, purse: Purse) -> bool:
        return any(self.is_ours(it) for it in self.live(purse))

    def is_contested(self, purse: Purse) -> bool:
        return any(it not in SETTLED_DISPUTES for it in self.disputes.get(purse.owner, ()))

    def was_refused(self, purse: Purse) -> bool:
        """Tell whether Stripe said a definite no to a request for it: for lack of balance, or a dispute."""
        return any(it.payment_intent == purse.owner and it.status == 400 for it in self.posts)

    def needs_people(self, purse: Purse) -> bool:
        """Tell whether something happened to this payment that a person must look at."""
        return (
            any(not it.is_live for it in self.of(purse))
            or self.is_contested(purse)
            or self.was_refused(purse)
            or purse.owner in self.outside
        )


def judge(evidence: Evidence) -> Judgement:
    """Count what was paid by Stripe's ledger alone, then hold everything else against it."""
    told = Judgement(asked=len(evidence.records), due=sum(it.is_due for it in evidence.records))
    told.breaches += judge_attempts(evidence.paybacks_at_rest, evidence.late_refs, evidence.retried)
    for record in evidence.records:
        _judge_money(evidence, record, told)
        _judge_told(evidence, record, told)
        _judge_books(evidence, record, told)
        told.breaches += [f"{record.purse.name} ({record.story}): {it}" for it in record.trouble]
        if not record.is_told:
            told.breaches.append(f"{record.purse.name}: its story ({record.story}) did not come to its end")
    _judge_rows(evidence, told)
    told.breaches += [f"{it} was told as refunded while its refund was only pending" for it in evidence.told_early]
    if evidence.quiet_seconds is None:
        told.breaches.append("something was still open when the time to come to rest was over")
    told.details = _counted(evidence)
    return told


def judge_attempts(
    paybacks: Sequence[Payback],
    late_refs: frozenset[str],
    retried: frozenset[tuple[str, str]],
) -> list[str]:
    """Each attempt makes one refund, whatever becomes of it; a further attempt is an operator's act.

    What arrived long after it was given up is not counted: nobody sent it a second time.
    """
    made = Counter((it.refund_id, it.attempt) for it in paybacks if it.refund_id and it.ref not in late_refs)
    breaches = [
        f"attempt {nth} of {refund} made {number} refunds" for (refund, nth), number in made.items() if number > 1
    ]
    alone = [it for it in made if it[1] != "1" and it not in retried]
    return breaches + [f"attempt {nth} of {refund} was nobody's wish" for refund, nth in alone]


def is_paid_twice(paybacks: Sequence[Payback]) -> bool:
    """Tell whether a payment has two live refunds."""
    live = Counter(it.payment_intent for it in paybacks if it.is_live)
    return any(number > 1 for number in live.values())


def _judge_money(evidence: Evidence, record: Record, told: Judgement) -> None:
    purse = record.purse
    live = evidence.live(purse)
    if len(live) > 1:
        told.twice += 1
        told.breaches.append(f"{purse.name} was paid back {len(live)} times: {', '.join(it.ref for it in live)}")
    elif live and live[0].amount != purse.amount:
        told.breaches.append(f"{purse.name} got {live[0].amount} for a payment of {purse.amount}")
    elif live and not evidence.is_ours(live[0]):
        told.unpaid += 1  # by us
    elif live and record.is_due:
        told.paid_once += 1
    elif live:
        told.breaches.append(f"{purse.name} was paid back, and it was {_why_not(record)}")
    elif not record.is_due:
        told.unpaid += 1
    elif any(it.is_before_operator for it in _told(evidence, record)) and evidence.needs_people(purse):
        told.waiting += 1
    elif evidence.disputes.get(purse.owner):
        told.unpaid += 1  # the bank takes the money back, and the case ended unpaid
    else:
        told.lost += 1
        told.breaches.append(f"{purse.name} was approved and got nothing ({_statuses(evidence, record)})")


def _judge_told(evidence: Evidence, record: Record, told: Judgement) -> None:
    """What is told as refunded is with the customer; what is paid is told, or lies before an operator."""
    purse, standings = record.purse, _told(evidence, record)
    live = [it for it in evidence.live(purse) if evidence.is_ours(it)]
    name = f"{purse.name} ({_statuses(evidence, record)})"
    refunded = sum(it.status == "refunded" for it in standings)
    if refunded > 1:
        told.breaches.append(f"{name}: {refunded} refunds of one deposit are told as refunded")
    if refunded and not live:
        told.breaches.append(f"{name} is told as refunded, and Stripe has {_ledger(evidence, purse)}")
    if refunded and evidence.is_contested(purse):
        told.breaches.append(
            f"{name} is told as refunded, and its payment is disputed: {evidence.disputes[purse.owner]}"
        )
    if live and not refunded and not any(it.is_before_operator for it in standings):
        told.breaches.append(f"{name} was paid back by {live[0].ref}, and nobody knows")
    if any(it.is_before_operator for it in standings) and not evidence.needs_people(purse):
        told.breaches.append(f"{name} stands before an operator, and nothing happened to it outside")
    if not all(it.is_over for it in standings):
        told.breaches.append(f"{name} did not come to an end")


def _judge_books(evidence: Evidence, record: Record, told: Judgement) -> None:
    purse, standings = record.purse, _told(evidence, record)
    books = {name: int(evidence.books[purse.account][name]) for name in BOOKS}
    is_live = evidence.is_paid_by_us(purse)
    is_attended = any(it.is_before_operator for it in standings)
    if sum(books.values()) != evidence.credit_minor or min(books.values()) < 0:
        told.breaches.append(f"the books of {purse.account} do not balance: {books}")
    elif any(it.status == "refunded" for it in standings):
        if books["refunded_minor"] != evidence.credit_minor:
            told.breaches.append(f"{purse.account} was told as refunded, and its books say {books}")
    elif is_live or is_attended:
        if books["spendable_minor"]:
            told.breaches.append(f"{purse.account} may spend what is on its way or with an operator: {books}")
        if not is_live and books["refunded_minor"]:
            told.breaches.append(f"{purse.account} has nothing of it, and its books say {books}")
    elif books["refunded_minor"] or books["held_minor"]:
        told.breaches.append(f"{purse.account} has ended unpaid, and its books say {books}")


def _judge_rows(evidence: Evidence, told: Judgement) -> None:
    """Our own database must tell the same as Stripe."""
    paybacks = {it.ref: it for it in evidence.paybacks}
    owners = {refund: record.purse.owner for record in evidence.records for refund in record.refunds}
    for row in evidence.payouts:
        name = f"the payout {row.refund}/{row.attempt}"
        seen = paybacks.get(row.ref or "")
        if owners.get(row.refund) != row.payment_intent:
            told.breaches.append(f"{name} pays {row.payment_intent}, and it is owed to {owners.get(row.refund)}")
        if row.status in ("queued", "unknown", "pending"):
            told.breaches.append(f"{name} is {row.status}, and nothing is on its way any more")
        if row.status == "succeeded" and (seen is None or not seen.is_live):
            told.breaches.append(f"{name} is succeeded, and Stripe has {seen}")
        if seen is not None and (seen.refund_id, seen.attempt) != (row.refund, str(row.attempt)):
            told.breaches.append(f"{name} was booked by {seen.ref}, which {seen.refund_id}/{seen.attempt} made")
    known = {row.ref for row in evidence.payouts} | evidence.late_refs
    made = [it for it in evidence.paybacks_at_rest if it.refund_id and it.ref not in known]
    told.breaches += [f"{it.ref} ({it.status}) of {it.refund_id} stands in none of our rows" for it in made]
    over = [it for it in evidence.active_holds if evidence.told[it].status in (*UNPAID_ENDS, "refunded")]
    told.breaches += [f"{refund} has ended and still holds its deposit" for refund in over]


def _counted(evidence: Evidence) -> dict[str, object]:
    """Count what the rail is about: lost answers, late failures, disputes, and how many people stand before."""
    lost = [it for it in evidence.posts if it.is_lost]
    attended = {
        record.purse.owner
        for record in evidence.records
        if any(it.is_before_operator for it in _told(evidence, record))
    }
    paid_anew = {it.payment_intent for it in evidence.paybacks if it.is_live and it.attempt not in ("", "1")}
    failed = {it.payment_intent for it in evidence.paybacks_at_rest if not it.is_live}
    due = {it.purse.owner for it in evidence.records if it.is_due}
    disputed = {it.purse.owner for it in evidence.records if evidence.is_contested(it.purse)} & due
    return {
        "before_people": len(attended),
        "asked_stripe": len(evidence.posts),
        "lost_answers": f"{len(lost)} ({sum(bool(it.made) for it in lost)} of them had paid)",
        "late_failures": f"{len(failed)} ({len(failed & (attended | paid_anew))} before people or paid anew)",
        "disputes": f"{len(disputed)} ({len(disputed & attended)} before people)",
        "retried": len(evidence.retried),
    }


def _told(evidence: Evidence, record: Record) -> list[Told]:
    return [evidence.told.get(refund, Told("unknown to the API")) for refund in sorted(record.refunds)]


def _statuses(evidence: Evidence, record: Record) -> str:
    found = (f"{it} is {evidence.told.get(it, Told('unknown')).status}" for it in sorted(record.refunds))
    return ", ".join(found) or "never asked"


def _ledger(evidence: Evidence, purse: Purse) -> str:
    return ", ".join(f"{it.ref} {it.status}" for it in evidence.of(purse)) or "nothing"


def _why_not(record: Record) -> str:
    reasons = ("rejected", "withdrawn", "spent")
    return " and ".join(it for it in reasons if getattr(record, it)) or "never approved"
