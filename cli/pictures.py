"""A refund in words: what an operator reads before they decide."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from cli.output import columns, plain
from domain.money import NATIVE, format_minor

Refund = Mapping[str, Any]

NATIVE_DECIMALS = 18  # of every EVM chain's own coin; a token's are its own affair, so it stays in base units
TELLING = ("reason", "provider_ref", "tx_hash")  # what of an audit entry's detail a person looks for


def in_short(refunds: Sequence[Refund]) -> list[str]:
    """Return a list, two lines a refund: the first fits 100 columns, the second holds names of any length."""
    heads = columns(
        [
            ("ID", "STATUS", "CREDITED", "RAIL", "UPDATED"),
            *((it["id"], it["status"], credited(it), it["rail"], _to_the_second(it["updated_at"])) for it in refunds),
        ]
    )
    return [heads[0], *(line for pair in zip(heads[1:], map(_names, refunds), strict=True) for line in pair)]


def in_full(refund: Refund) -> list[str]:
    """Return everything, line by line."""
    return at_stake(refund) + _history(refund)


def what_came_of_it(refund: Refund) -> list[str]:
    """Return where a refund stands and what happened, for who has just read what is at stake."""
    return columns([("refund", refund["id"]), ("status", _standing(refund))]) + _history(refund)


def _history(refund: Refund) -> list[str]:
    lines: list[str] = []
    for title, rows in (
        (
            "decisions",
            [
                (_to_the_second(it["recorded_at"]), it["operator"], it["action"], it["reason"])
                for it in refund["decisions"]
            ],
        ),
        ("payouts", [_payout(it) for it in refund["payouts"]]),
        ("disputes", [_dispute(it) for it in refund["disputes"]]),
        (
            "fraud warnings",
            [
                (it["warning_id"], it["fraud_type"], "refund averts a dispute" if it["is_actionable"] else None)
                for it in refund["fraud_warnings"]
            ],
        ),
        ("messages", [(_to_the_second(it["written_at"]), it["kind"], it["text"]) for it in refund["messages"]]),
        (
            "timeline",
            [(_to_the_second(it["at"]), it["event"], it["actor"], _told(it)) for it in refund["timeline"]],
        ),
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
            ("to be paid by", _to_the_second(refund["pay_due_at"])),
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
    return f"{coins(payment['amount_base_units'], payment['asset'])} on chain {payment['chain_id']}"


def coins(amount_base_units: str, asset: str) -> str:
    """Return a chain amount, which is never rounded: the native coin also in whole coins."""
    if asset != NATIVE:
        return f"{amount_base_units} base units of {asset}"
    whole, part = divmod(int(amount_base_units), 10**NATIVE_DECIMALS)
    written = f"{whole}.{part:0{NATIVE_DECIMALS}d}".rstrip("0").removesuffix(".")
    return f"{written} ({amount_base_units} base units) of the native coin"


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
    said = payout["detail"] or None
    return (
        f"attempt {payout['attempt']}",
        payout["rail"],
        payout["status"],
        where,
        payout.get("to"),
        _paid(payout),
        _at_the_bank(payout),
        said,
    )


def _at_the_bank(payout: Mapping[str, Any]) -> str | None:
    """Return how the bank shows a card refund, and by what it finds it."""
    if payout["rail"] != "card" or payout["destination_type"] is None:
        return None
    found = f", {payout['reference_type'] or 'reference'} {payout['reference']}" if payout["reference"] else ""
    return f"{payout['destination_type']}{found}"


def _dispute(dispute: Mapping[str, Any]) -> tuple[Any, ...]:
    withdrawn = {"amount_minor": dispute["withdrawn_minor"], "currency": dispute["currency"]}
    return (
        dispute["dispute_id"],
        dispute["stage"],
        dispute["status"],
        _money(dispute),
        f"{_money(withdrawn)} withdrawn",
        "loss accepted" if dispute["is_accepted"] else None,
    )


def _paid(payout: Mapping[str, Any]) -> str:
    if payout["rail"] == "card":
        return "" if payout["amount_minor"] is None else _money(payout)
    known = payout["amount_base_units"] is not None and payout["asset"] is not None
    return coins(payout["amount_base_units"], payout["asset"]) if known else ""


def _told(entry: Mapping[str, Any]) -> str:
    """Return what an entry of the timeline is about, and nothing where it says all by its name."""
    parts = [entry["subject"], *(entry["detail"].get(name) for name in TELLING)]
    return ", ".join(str(part) for part in parts if part is not None)


def _names(refund: Refund) -> str:
    ticket = f"{refund['ticket']['system']}:{refund['ticket']['id']}"
    reason = [refund["status_reason"]] if refund["status_reason"] else []
    return "    " + plain(", ".join([ticket, f"account {refund['account_id']}", *reason]))


def _to_the_second(moment: str) -> str:
    """Return a time of the API without its fractions, in UTC."""
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
