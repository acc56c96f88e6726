"""A refund in words: what an operator reads before they decide."""

from collections.abc import Mapping
from typing import Any

from cli.output import columns, plain
from domain.money import format_minor

Refund = Mapping[str, Any]


def in_short(refund: Refund) -> tuple[str, ...]:
    """Return one line of a list."""
    return (
        refund["id"],
        refund["status"],
        refund["status_reason"] or "-",
        f"{refund['ticket']['system']}:{refund['ticket']['id']}",
        refund["account_id"],
        credited(refund),
        refund["rail"],
        refund["updated_at"],
    )


SHORT_HEADER = ("ID", "STATUS", "REASON", "TICKET", "ACCOUNT", "CREDITED", "RAIL", "UPDATED")


def in_full(refund: Refund) -> list[str]:
    """Return everything, line by line."""
    lines = at_stake(refund)
    for title, rows in (
        (
            "decisions",
            [(it["recorded_at"], it["operator"], it["action"], it["reason"]) for it in refund["decisions"]],
        ),
        ("payouts", [_payout(it) for it in refund["payouts"]]),
        ("messages", [(it["written_at"], it["kind"], it["text"]) for it in refund["messages"]]),
        ("timeline", [(it["at"], it["event"], it["actor"], it["subject"]) for it in refund["timeline"]]),
    ):
        if rows:
            lines += ["", title, *(f"  {line}" for line in columns(rows))]
    return lines


def at_stake(refund: Refund) -> list[str]:
    """Return what an approval stands for: amount, rail, the whole destination, and every rule's answer."""
    verdict = refund["verdict"]
    lines = columns(
        [
            ("refund", refund["id"]),
            ("status", _standing(refund)),
            ("ticket", f"{refund['ticket']['system']}:{refund['ticket']['id']}"),
            ("account", refund["account_id"]),
            ("ownership", refund["ownership"]),
            ("deposit", f"{refund['deposit_id'] or '-'}, credited {credited(refund)}"),
            ("rail", refund["rail"]),
            ("pays back", amount(refund)),
            ("destination", verdict["destination"] if verdict else None),
            ("attempt", refund["attempt"]),
            ("approvals", refund["approvals_needed"] and f"{refund['approvals_needed']} needed"),
            ("digest", refund["digest"]),
        ]
    )
    if verdict:
        rules = [(it["rule"], it["outcome"], it["code"], it["reason"]) for it in verdict["rules"]]
        lines += [f"verdict: {plain(verdict['outcome'])}, by policy {plain(verdict['policy_version'])}"]
        lines += [f"  {line}" for line in columns(rules)]
    return lines


def to_acknowledge(refund: Refund) -> list[str]:
    """Return the codes of all reviews, which an approval must name."""
    rules = refund["verdict"]["rules"] if refund["verdict"] else []
    return [code for it in rules if it["outcome"] == "review" for code in it["code"].split(",")]


def amount(refund: Refund) -> str:
    """Return what goes back, in the words of its rail."""
    payment = refund["payment"]
    if payment is None:
        return "-"
    if payment["rail"] == "card":
        return f"{_money(payment)} of payment {payment['payment_intent']}"
    return f"{payment['amount_base_units']} base units of {payment['asset']} on chain {payment['chain_id']}"


def credited(refund: Refund) -> str:
    """Return what the deposit was credited with."""
    return "-" if refund["amount_minor"] is None else _money(refund)


def _money(holder: Mapping[str, Any]) -> str:
    return f"{format_minor(holder['amount_minor'], holder['currency'])} {holder['currency']}"


def _standing(refund: Refund) -> str:
    reason = f" ({refund['status_reason']})" if refund["status_reason"] else ""
    waiting = f", waiting for {refund['waiting_for']}" if refund["waiting_for"] else ""
    other = f", held by {refund['duplicate_of']}" if refund["duplicate_of"] else ""
    return f"{refund['status']}{reason}{waiting}{other}"


def _payout(payout: Mapping[str, Any]) -> tuple[Any, ...]:
    where = payout["provider_ref"] if payout["rail"] == "card" else payout["tx_hash"]
    return (f"attempt {payout['attempt']}", payout["rail"], payout["status"], where, payout.get("to"))
