"""Collects what is judged: Stripe's ledger from the simulator itself, requests from the journal, our rows."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from chaos.card.journal import Post
from chaos.card.judge import Evidence, Payback, PayoutRow, Told
from chaos.databases import rows
from chaos.people import CREDIT_MINOR, People
from chaos.purses import Record


def collect(
    *,
    records: Sequence[Record],
    people: People,
    database_url: str,
    at_rest: Sequence[Payback],
    at_end: Sequence[Payback],
    state: Mapping[str, Any],
    posts: Sequence[Post],
    outside: frozenset[str],
    told_early: frozenset[str],
    retried: frozenset[tuple[str, str]],
    quiet_seconds: float | None,
) -> Evidence:
    """Read everything once."""
    payouts = rows(database_url, "SELECT refund_id, attempt, status, provider_ref, payment_intent FROM payouts")
    holds = rows(database_url, "SELECT refund_id FROM holds WHERE state = 'active'")
    refunds = sorted({refund for record in records for refund in record.refunds})
    seen = {refund: people.seen(refund) for refund in refunds}
    return Evidence(
        records=records,
        paybacks_at_rest=at_rest,
        paybacks=at_end,
        disputes=disputes_in(state),
        posts=posts,
        outside=outside,
        retried=retried,
        told_early=sorted(told_early),
        told={refund: Told(str(it.get("status")), it.get("waiting_for")) for refund, it in seen.items()},
        books={it.purse.account: people.books(it.purse) for it in records},
        payouts=[
            PayoutRow(it["refund_id"], it["attempt"], it["status"], it["provider_ref"], it["payment_intent"])
            for it in payouts
        ],
        active_holds=frozenset(it["refund_id"] for it in holds),
        credit_minor=CREDIT_MINOR,
        quiet_seconds=quiet_seconds,
        late_refs=late_refs(posts, at_rest, at_end),
    )


def disputes_in(state: Mapping[str, Any]) -> dict[str, list[str]]:
    """List the statuses of disputes by payment."""
    found: dict[str, list[str]] = defaultdict(list)
    for it in state["disputes"]:
        found[it["payment_intent"]].append(it["status"])
    return dict(found)


def late_refs(posts: Sequence[Post], at_rest: Sequence[Payback], at_end: Sequence[Payback]) -> frozenset[str]:
    """List the refunds that nobody waited for any more: made by late requests, and by the replay at the end."""
    late = {it.made for it in posts if it.is_late and it.made and not it.is_replay}
    return frozenset(late | ({it.ref for it in at_end} - {it.ref for it in at_rest}))
