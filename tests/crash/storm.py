"""Plays all cases side by side against one stack, and keeps what can be seen of them from outside."""

import json
import queue
import time
import urllib.request
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2

from devstack.demo.town import Answer, Town
from domain.refunds import TicketRef, refund_id
from tests.crash.cases import Case
from tests.crash.chains import LocalChain, Payment
from tests.crash.crew import Crew, Shot
from tests.crash.points import Mode

AMOUNT_MINOR = 2000
AMOUNT_WEI = 10**16
AT_ONCE_MAX = 40
STOPPED_AT_ONCE_MAX = 8  # a zombie keeps what it was given, and perhaps the database, while the others wait
POLL_SECONDS = 0.7
PATIENCE_SECONDS = 200  # an idle machine needs twenty; one that others use may stall for half a minute
# What raises hurts nobody else; a dead worker takes all its steps with it, and a stopped one whatever it is given.
PHASES = ({Mode.RAISE}, {Mode.KILL, Mode.TERM}, {Mode.STOP})
UNPAID = ("rejected", "ineligible", "withdrawn", "expired", "duplicate")


@dataclass
class Played:
    """One case as it went, and where its money was at the end, as the outside shows it."""

    case: Case
    refund: str
    account: str = ""
    payment_intent: str = ""
    payment: Payment | None = None
    chain: LocalChain | None = None
    trouble: str = ""
    seen: dict[str, Any] = field(default_factory=dict)
    books: dict[str, Any] = field(default_factory=dict)
    shots: list[Shot] = field(default_factory=list)

    @property
    def subject(self) -> str:
        """Whom the point is armed for: a call of the pump names its chain and no refund."""
        on_chain = ("pump.broadcast", "pump.record_sends", "pump.done")
        return f"chain_{self.chain.chain_id}" if self.chain and self.case.point.startswith(on_chain) else self.refund


class PatientTown(Town):
    """People who make the same call again while the service says that it cannot answer: it may be a zombie's turn."""

    def call(self, role: str, method: str, path: str, body: dict[str, Any] | None = None) -> Answer:
        def answered() -> Answer | None:
            try:
                answer = super(PatientTown, self).call(role, method, path, body)
            except httpx2.TransportError:  # a kept connection that the API closed just now
                return None
            return None if answer.status == 503 else answer

        answer: Answer = _wait(answered, PATIENCE_SECONDS)
        return answer


class Storm:
    """All cases, the stack they play on, and the crew of workers that is hit."""

    def __init__(self, town: Town, stripe: str, chains: Sequence[LocalChain], crew: Crew) -> None:
        self._town = town
        self._stripe = stripe
        self._crew = crew
        self._shared, *own = chains
        self._own: queue.Queue[LocalChain] = queue.Queue()
        for chain in own:
            self._own.put(chain)

    def play(self, cases: Sequence[Case]) -> list[Played]:
        """Play them; return when each has ended or failed to, and no worker is still at what it was hit at."""
        played: list[Played] = []
        for modes in PHASES:
            at_once = STOPPED_AT_ONCE_MAX if Mode.STOP in modes else AT_ONCE_MAX
            with ThreadPoolExecutor(at_once) as pool:
                played += pool.map(self._play, [case for case in cases if case.mode in modes])
        _wait(lambda: self._crew.is_calm or None, PATIENCE_SECONDS)
        for it in played:
            mine = {it.refund, it.subject}
            it.shots = [
                shot
                for shot in self._crew.shots
                # Cases of other modes may have played on the same chain before.
                if (shot.line.name, shot.line.shot) == (it.case.point, it.case.mode)
                and mine & set(shot.line.subjects)
            ]
            it.seen = self._town.refund(it.refund)
            path = f"/v1/accounts/{it.account}/balance"
            it.books = dict(self._town.must("billing", "GET", path)["balances"][0])
        return played

    def stripe_state(self) -> dict[str, Any]:
        """Read the card processor's own ledger."""
        with urllib.request.urlopen(f"{self._stripe}/_sim/state") as answer:  # noqa: S310 - our own loopback address
            return dict(json.load(answer))

    def _play(self, case: Case) -> Played:
        ticket = TicketRef(system="crash", id=case.id)
        played = Played(case, refund_id(ticket))
        own = case.rail == "crypto" and case.needs_own_chain
        if case.rail == "crypto":
            played.chain = self._own.get() if own else self._shared
        try:
            self._ask_and_decide(played, ticket)
        except Exception as error:  # noqa: BLE001 - one case that fails must not hide how the others went
            seen = town_says(self._town, played.refund)
            played.trouble = f"{type(error).__name__}: {error}; it is {seen}"
        finally:
            if own and played.chain is not None:
                self._own.put(played.chain)
        return played

    def _ask_and_decide(self, played: Played, ticket: TicketRef) -> None:
        case, town = played.case, self._town
        played.account, _ = town.open_account()
        if played.chain is None:
            played.payment_intent = town.pay_by_card(AMOUNT_MINOR)
            paid: dict[str, Any] = {"rail": "card", "payment_intent": played.payment_intent}
        else:
            played.payment = played.chain.pay(AMOUNT_WEI)
            paid = {
                "rail": "crypto",
                "chain_id": played.chain.chain_id,
                "tx_hash": played.payment.tx_hash,
                "asset": "native",
                "amount_base_units": str(AMOUNT_WEI),
            }
        town.deposit(played.account, AMOUNT_MINOR, paid, datetime.now(UTC) - timedelta(days=1))
        self._crew.arms.arm(case.point, case.mode, played.subject)
        town.request(
            ticket=ticket.model_dump(include={"system", "id"}), account={"id": played.account}, rail=case.rail
        )
        digest = self._until(played.refund, "awaiting_approval")["digest"]
        decision = {"decision_id": town.name("decision"), "digest": digest, "reason": "as the test says"}
        decision["action"] = "approve" if case.is_paid else "reject"
        is_outbid = case.point.startswith("pump.raise_fee")  # for want of a block
        stands_still = played.chain if is_outbid or case.point.startswith("pump.see_mined") else None
        if stands_still is not None:
            stands_still.stand_still()
        town.must("approver_1", "POST", f"/v1/refunds/{played.refund}/decisions", decision)
        if stands_still is not None:  # else a slow pump would see the payout only when it is final
            _wait(lambda: stands_still.has_waiting_payout() or None, PATIENCE_SECONDS)
            if not is_outbid:
                stands_still.mine_one()
            _wait(lambda: self._fired(played) or None, PATIENCE_SECONDS)
            stands_still.go_on()
        self._until(played.refund, "refunded" if case.is_paid else "rejected")
        _wait(lambda: self._fired(played) or None, PATIENCE_SECONDS)  # some points lie behind the end

    def _fired(self, played: Played) -> bool:
        mine = {played.refund, played.subject}
        hit = (played.case.point, played.case.mode)
        return any(
            (shot.line.name, shot.line.shot) == hit and mine & set(shot.line.subjects)
            for shot in list(self._crew.shots)
        )

    def _until(self, refund: str, status: str) -> dict[str, Any]:
        def stands_there() -> dict[str, Any] | None:
            seen = self._town.refund(refund)
            if seen["status"] == status:
                return seen
            if seen["status"] in (*UNPAID, "refunded", "needs_attention"):
                raise AssertionError(f"it is {seen['status']} ({seen['status_reason']}) and not {status}")
            return None

        return _wait(stands_there, PATIENCE_SECONDS)


def town_says(town: Town, refund: str) -> str:
    """Return where a refund stands, in words for a person."""
    answer = town.call("helpdesk", "GET", f"/v1/refunds/{refund}")
    return f"{answer.body.get('status')} ({answer.body.get('status_reason')})"


def _wait(condition: Callable[[], Any], seconds: float) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = condition()
        if answer is not None:
            return answer
        time.sleep(POLL_SECONDS)
    raise AssertionError(f"waited {seconds} s in vain")
