"""What operators do at the command line: approve, reject, confirm ownership, resolve."""

import sys
import uuid
from typing import Annotated, Any

import typer

from cli import pictures
from cli.calls import Api, refund_path
from cli.exits import CommandFailed, Exit
from cli.following import follow
from cli.output import Format, Output, plain, say, write, write_json
from cli.refunds import RefundId, show_refund
from domain.decisions import Action, ResolutionAction
from domain.refunds import workflow_id

Reason = Annotated[str, typer.Option(help="Why; kept for the record.")]


def approve(
    refund_id: RefundId,
    digest: Annotated[str | None, typer.Option(help="What you saw; default: what is shown now.")] = None,
    acknowledge: Annotated[list[str] | None, typer.Option(help="A review that you have read; repeat it.")] = None,
    reason: Annotated[str | None, typer.Option(help="Anything worth keeping.")] = None,
    decision_id: Annotated[str | None, typer.Option(help="The same id again records nothing twice.")] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    record_only: Annotated[
        bool, typer.Option("--record-only", help="Print the decision, for delivery by other means.")
    ] = False,
    output: Output = Format.TABLE,
) -> None:
    """Approve paying a refund back, after showing exactly what would be paid and where to."""
    api = Api.from_environment()
    refund = api.get(refund_path(refund_id))
    for line in pictures.at_stake(refund):
        say(line)
    unread = set(pictures.to_acknowledge(refund)) - set(acknowledge or ())
    if unread:
        say(f"Needs --acknowledge for: {', '.join(map(plain, sorted(unread)))}")
    decision = _decision(refund, Action.APPROVE, digest, decision_id)
    if digest is not None and digest != refund["digest"]:
        say("The digest that you name is not the one shown above.")
    if not yes:
        _ask(refund)
    if acknowledge:
        decision["acknowledge"] = acknowledge
    if reason:
        decision["reason"] = reason
    if record_only:
        _print_for_delivery(_record(api, refund, decision, "?deliver=false"), decision, output)
        return
    answer = _record(api, refund, decision)
    seen = follow(api, _approved(answer), refund, answer)
    if output == Format.JSON:
        write_json(seen)
        return
    for line in pictures.what_came_of_it(seen):
        write(line)


def reject(
    refund_id: RefundId,
    reason: Reason,
    digest: Annotated[str | None, typer.Option(help="What you saw; default: what is shown now.")] = None,
    decision_id: Annotated[str | None, typer.Option(help="The same id again records nothing twice.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Reject a refund; the money that it held is released."""
    api = Api.from_environment()
    refund = api.get(refund_path(refund_id))
    decision = _decision(refund, Action.REJECT, digest, decision_id) | {"reason": reason}
    answer = _record(api, refund, decision)
    show_refund(follow(api, "rejected by you; the held money is released.", refund, answer), output)


def confirm_owner(
    refund_id: RefundId,
    evidence: Annotated[str, typer.Option(help="What shows who is asking.")],
    deposit: Annotated[str | None, typer.Option(help="The deposit that is meant, where it is not known.")] = None,
    request_time_confirmed: Annotated[
        bool, typer.Option("--request-time-confirmed", help="The ticket really was opened at the time it says.")
    ] = False,
    deny: Annotated[bool, typer.Option("--deny", help="It is not the owner: the refund is rejected.")] = False,
    confirmation_id: Annotated[str | None, typer.Option(help="The same id again records nothing twice.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say whether the requester owns the account. Who confirms cannot approve."""
    body: dict[str, Any] = {
        "confirmation_id": confirmation_id or _new_id("confirmation"),
        "action": "deny" if deny else "confirm",
        "evidence": evidence,
        "requested_at_confirmed": request_time_confirmed,
    }
    if deposit is not None:
        body["deposit_id"] = deposit
    api = Api.from_environment()
    before = api.get(refund_path(refund_id))
    answer = api.post(refund_path(refund_id, "ownership"), body)
    recorded = "ownership denied by you; the refund is rejected." if deny else "ownership confirmed by you."
    show_refund(follow(api, recorded, before, answer), output)


def resolve(
    refund_id: RefundId,
    action: Annotated[ResolutionAction, typer.Argument(metavar="ACTION")],
    reason: Reason,
    evidence: Annotated[str | None, typer.Option(help="Needed for paid_outside: how it was paid.")] = None,
    resolution_id: Annotated[str | None, typer.Option(help="The same id again records nothing twice.")] = None,
    output: Output = Format.TABLE,
) -> None:
    """Say what to do about a refund that needs attention.

    look_again, retry, cancel_nonce, paid_outside, give_up, accept_loss.
    """
    body = {
        "resolution_id": resolution_id or _new_id("resolution"),
        "action": action.value,
        "reason": reason,
    } | ({"evidence": evidence} if evidence is not None else {})
    api = Api.from_environment()
    before = api.get(refund_path(refund_id))
    answer = api.post(refund_path(refund_id, "resolution"), body)
    show_refund(follow(api, f"resolved by you with {action.value}.", before, answer), output)


def _decision(refund: pictures.Refund, action: Action, digest: str | None, decision_id: str | None) -> dict[str, Any]:
    seen = digest or refund["digest"]
    if seen is None:
        raise CommandFailed(Exit.REFUSED, f"This refund is {refund['status']}: there is nothing to decide yet.")
    return {
        "decision_id": decision_id or _new_id("decision"),
        "action": action.value,
        "digest": seen,
    }


def _ask(refund: pictures.Refund) -> None:
    if not sys.stdin.isatty():
        raise CommandFailed(Exit.USAGE, "Nobody is there to ask: --yes approves what is shown.")
    destination = refund["verdict"]["destination"] if refund["verdict"] else None
    if not typer.confirm(f"Pay {plain(pictures.amount(refund))} back to {plain(destination)}?", err=True):
        raise CommandFailed(Exit.REFUSED, "Nothing was decided.")


def _record(api: Api, refund: dict[str, Any], decision: dict[str, Any], query: str = "") -> dict[str, Any]:
    """Record a decision and return the API's answer; when that is lost, tell how to ask again."""
    try:
        answer: dict[str, Any] = api.post(refund_path(refund["id"], "decisions") + query, decision)
    except CommandFailed as error:
        if error.status == Exit.NOT_REACHABLE:
            say(f"It may have been recorded; the same again is safe: --decision-id {decision['decision_id']}")
        raise
    return answer


def _approved(refund: pictures.Refund) -> str:
    """Tell what an approval leads to: where several people must approve, the money waits for the last."""
    needed = refund["approvals_needed"] or 1
    people = {it["operator"] for it in refund["decisions"] if it["digest"] == refund["digest"]}
    if len(people) < needed:
        return f"approved by you; {needed} people must approve."
    return "approved by you; the refund follows."


def _print_for_delivery(refund: pictures.Refund, decision: dict[str, Any], output: Format) -> None:
    say("Recorded: approved by you; the refund follows once the decision is delivered.")
    told = {
        "decision_id": decision["decision_id"],
        "refund_id": refund["id"],
        "workflow_id": workflow_id(refund["id"]),
        "signal": decision["action"],
    }
    if output == Format.JSON:
        write_json(told)
        return
    for name, value in told.items():
        write(f"{name}: {plain(value)}")


def _new_id(kind: str) -> str:
    return f"{kind}_{uuid.uuid4().hex}"
