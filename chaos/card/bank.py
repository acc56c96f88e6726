"""The customer's bank, and whoever else acts at Stripe: what can happen to a card refund without any call of ours."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from sqlalchemy.exc import SQLAlchemyError

from chaos.card.faults import STORM_FACTOR, Fault
from chaos.card.judge import DEAD, SETTLED_DISPUTES, Payback
from chaos.card.proxy import CardProxy
from chaos.card.simulator import Simulator
from chaos.chance import choose
from chaos.databases import rows
from chaos.nemesis import Blow
from chaos.waiting import InVain

CASE_SECONDS_MAX = 15.0  # for a refund to come to where a blow can hit it
POLL_SECONDS = 0.2
STORM_SECONDS = 8.0
SHORT_SECONDS = 4.0
HELD_SECONDS = 5.0
DAY_AND_AN_HOUR_SECONDS = 25 * 3600
# By then a chargeback does not take back the refund any more: the customer has the money twice.
TOO_LATE_TO_FAIL_SECONDS = 301
SETTLED_SOON_SECONDS = 5.0  # before that it may be canceled, or fail
SETTLED_AFTER_SECONDS = 15.0  # at the latest
PLENTY_MINOR = 10**9
FAULTS_AT_STRIPE_PER_MILLE = 30
EACH_OF = 25  # so many refunds bring one more of what a bank does to paid ones
# What Stripe itself does wrong. Not among them: what its own keys must make good (`hang_before`), and what a
# service is right to stop or wait a day for (401, 403, a 500 that is kept although nothing was done).
FAULTS_AT_STRIPE = (
    *("drop_before", "503_before", "200_html_before", "409", "429", "429_retry_after", "429_lock_timeout"),
    *("drop_after", "500_after", "502_html_after", "504_html_after", "200_html_after"),
    *("empty_after", "wrong_json_after", "truncate_after"),
)
# Only a day later, by another clock than ours, would it be tried again.
_STORED = "500_after"
_ROWS = """
SELECT refunds.id AS refund, refunds.status AS status, deposits.payment_intent AS payment_intent,
       payouts.status AS payout, payouts.attempt AS attempt
FROM refunds JOIN deposits ON deposits.id = refunds.deposit_id
LEFT JOIN payouts ON payouts.refund_id = refunds.id AND payouts.attempt = refunds.attempt
"""
Row = dict[str, Any]
T = TypeVar("T")


class Bank:
    """Deals the blows at Stripe, each to a payment that nothing happened to yet."""

    def __init__(self, simulator: Simulator, proxy: CardProxy, seed: object, *, keeps_guards: bool) -> None:
        self._simulator, self._proxy, self._seed, self._keeps_guards = simulator, proxy, seed, keeps_guards
        self._database_url = ""
        self._ending = threading.Event()
        self._choosing = threading.Lock()
        self._balance = threading.Lock()
        self._hit: set[str] = set()
        self._early: set[str] = set()
        self._pending_since: dict[str, float] = {}
        self.outside: set[str] = set()
        self.told_early: set[str] = set()

    def meet(self, database_url: str, ending: threading.Event) -> None:
        """Learn where our own rows are read: a blow against what we told people must know what we told."""
        self._database_url, self._ending = database_url, ending

    def acts(self, count: int) -> list[Blow]:
        """Return what banks, customers and colleagues do, the more of it the more refunds there are."""
        more = 1 + count // EACH_OF
        early = ["charged_back_before", *(["refunded_outside"] if self._keeps_guards else [])]
        return [
            *(Blow("late_failure", self._fail_late) for _ in range(1 + more)),
            *(Blow("failed_at_once", self._fail_at_once) for _ in range(2)),
            Blow("pending_failed", partial(self._end_pending, "fail")),
            Blow("pending_canceled", partial(self._end_pending, "cancel")),
            *(Blow("settled", partial(self.settle, SETTLED_SOON_SECONDS)) for _ in range(3)),
            *(Blow("double_loss", self._charge_back_late) for _ in range(more)),
            Blow("charged_back_soon", self._charge_back_soon),
            Blow("inquiry_escalated", self._inquire),
            Blow("dispute_won", self._give_dispute_up),
            Blow("balance_short", partial(self._run_short, "pending")),
            Blow("balance_refused", partial(self._run_short, "refused")),
            *(Blow(kind, partial(self._done_early, kind)) for kind in early),
        ]

    def weather(self) -> list[Blow]:
        """Return storms, a clock that jumps, and each fault once more than chance brings it."""
        faults = self._proxy.faults
        return [
            *(Blow("storm", self._storm) for _ in range(2)),
            Blow("a_day_passes", partial(self._pass_time, DAY_AND_AN_HOUR_SECONDS)),
            *(Blow("armed", partial(faults.arm, fault)) for fault in faults.planned),
            *(Blow("armed", partial(self._arm_at_stripe, _STORED)) for _ in range(2)),
        ]

    def postmen(self) -> list[Blow]:
        """Return what happens to webhooks: late, in disorder, three times, never."""
        return [
            Blow("webhooks_shuffled", partial(self._hold, "shuffled")),
            Blow("webhooks_reversed", partial(self._hold, "reversed")),
            Blow("webhooks_tripled", self._triple),
        ]

    def begin(self) -> None:
        """Let Stripe be as unreliable as the way to it."""
        rate = {"seed": hash_of(self._seed), "per_mille": FAULTS_AT_STRIPE_PER_MILLE, "kinds": list(FAULTS_AT_STRIPE)}
        self._simulator.tell("fault_rate", **rate, path_prefix="/v1/")
        self._proxy.faults.factor = 1.0
        threading.Thread(target=self._act_early, name="early", daemon=True).start()

    def _act_early(self) -> None:
        """Do at once what must come before anybody approves: later in a storm nothing is left to be hit so."""
        acts = {"charged_back_before": self._charge_back_before}
        if self._keeps_guards:
            acts["refunded_outside"] = self._refund_outside
        for kind, act in acts.items():
            while kind not in self._early and not self._ending.is_set():  # a slow machine asks late
                with suppress(InVain, OSError):
                    act()
                    self._early.add(kind)

    def _done_early(self, kind: str) -> None:
        self._await(lambda: kind in self._early or None)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._proxy.faults.factor = 0.0
        self._proxy.faults.disarm()
        self._simulator.tell("fault_rate", seed=0, per_mille=0)
        self._fill()
        self._simulator.tell("webhooks", held=False, ordering="as_made", copies=1)
        self.settle()

    def settle(self, after_seconds: float = 0.0) -> None:
        """Let the bank take every refund that has waited for it so long."""
        now = time.monotonic()
        for it in self._simulator.paybacks():
            since = self._pending_since.setdefault(it.ref, now) if it.status == "pending" else now + 1
            if now - since < after_seconds:
                continue
            if any(row["refund"] == it.refund_id and row["status"] == "refunded" for row in self._rows()):
                self.told_early.add(it.refund_id)
            self._simulator.command("POST", f"refunds/{it.ref}/settle", {})

    def contested(self, state: dict[str, Any]) -> set[str]:
        """Return the payments with an open dispute."""
        return {it["payment_intent"] for it in state["disputes"] if it["status"] not in SETTLED_DISPUTES}

    # --- against refunds ---

    def _fail_late(self) -> None:
        it = self._payback(lambda row, made: row["status"] == "refunded" and made.status == "succeeded")
        self._simulator.tell(f"refunds/{it.ref}/fail", failure_reason="expired_or_canceled_card")

    def _fail_at_once(self) -> None:
        """Let a refund fail as it is made, and its answer be lost: who skips it when looking pays again."""
        before = self._failed()
        self._simulator.tell("next_refunds", status="failed", failure_reason="lost_or_stolen_card", times=1)
        self._proxy.faults.arm(Fault.LOST_REPLY)
        self._await(lambda: bool(self._failed() - before) or None)

    def _failed(self) -> set[str]:
        return {it.ref for it in self._simulator.paybacks() if it.status in DEAD}

    def _end_pending(self, how: str) -> None:
        it = self._payback(lambda _, made: made.status == "pending")
        self._simulator.tell(f"refunds/{it.ref}/{how}")

    def _refund_outside(self) -> None:
        payment = self._unpaid()
        self.outside.add(payment)
        self._simulator.tell(f"payment_intents/{payment}/refund")

    # --- against payments ---

    def _charge_back_soon(self) -> None:
        """A chargeback right after the refund, which then fails."""
        self._dispute(self._payback(lambda _, made: made.status == "succeeded").payment_intent)

    def _charge_back_late(self) -> None:
        """A chargeback when the refund has long arrived: the customer has the money twice."""
        it = self._payback(lambda row, made: row["status"] == "refunded" and made.status == "succeeded")
        self._pass_time(TOO_LATE_TO_FAIL_SECONDS)
        self._dispute(it.payment_intent)

    def _give_dispute_up(self) -> None:
        """A chargeback that lies before an operator, and is won: the service must see that by itself."""
        it = self._payback(lambda row, made: row["status"] == "refunded" and made.status == "succeeded")
        self._pass_time(TOO_LATE_TO_FAIL_SECONDS)
        self._dispute(it.payment_intent)

        def is_known() -> bool | None:
            known = {row["refund"]: row["status"] for row in self._rows()}
            return known.get(it.refund_id) == "needs_attention" or None

        self._await(is_known)
        opened = next(
            seen["id"] for seen in self._simulator.state()["disputes"] if seen["payment_intent"] == it.payment_intent
        )
        self._simulator.tell(f"disputes/{opened}/review")
        self._simulator.tell(f"disputes/{opened}/win")

    def _charge_back_before(self) -> None:
        self._dispute(self._unpaid())

    def _inquire(self) -> None:
        """The bank asks, and then charges back."""
        it = self._payback(lambda row, made: row["status"] == "refunded" and made.status == "succeeded")
        self._dispute(it.payment_intent, status="warning_needs_response")
        self._ending.wait(SHORT_SECONDS)
        self._dispute(it.payment_intent)

    def _dispute(self, payment: str, **fields: str) -> None:
        charge = next(it["id"] for it in self._simulator.state()["charges"] if it["payment_intent"] == payment)
        self._simulator.tell(f"charges/{charge}/dispute", **fields)

    # --- against Stripe ---

    def _run_short(self, when_short: str) -> None:
        """Let the balance be empty until a refund met that."""
        with self._balance:
            refused = len([it for it in self._proxy.journal.posts if it.status == 400])
            self._simulator.tell("balance", currency="usd", available_minor=0, when_short=when_short)

            def was_met() -> bool | None:
                if when_short == "refused":
                    return len([it for it in self._proxy.journal.posts if it.status == 400]) > refused or None
                state = self._simulator.state()
                return any(it.get("pending_reason") == "insufficient_funds" for it in state["refunds"]) or None

            try:
                self._await(was_met)
                if when_short == "pending":
                    self._ending.wait(SHORT_SECONDS)
            finally:
                self._fill()

    def _fill(self) -> None:
        self._simulator.tell("balance", currency="usd", available_minor=PLENTY_MINOR, when_short="covered")

    def _storm(self) -> None:
        self._proxy.faults.factor = STORM_FACTOR
        self._ending.wait(STORM_SECONDS)
        self._proxy.faults.factor = 1.0

    def _pass_time(self, seconds: int) -> None:
        self._simulator.tell("clock", advance_seconds=seconds)

    def _arm_at_stripe(self, kind: str) -> None:
        self._simulator.tell("faults", kind=kind, method="POST", path_prefix="/v1/refunds", times=1)

    def _hold(self, ordering: str) -> None:
        self._simulator.tell("webhooks", held=True, ordering=ordering)
        self._ending.wait(HELD_SECONDS)
        self._simulator.tell("webhooks", held=False)

    def _triple(self) -> None:
        self._simulator.tell("webhooks", copies=3)
        self._ending.wait(HELD_SECONDS)
        self._simulator.tell("webhooks", copies=1)

    # --- whom it hits ---

    def _payback(self, fits: Callable[[Row, Payback], bool]) -> Payback:
        """Wait for a refund of ours that fits, and take it: nothing else will happen to its payment."""

        def found() -> Payback | None:
            by_refund = {it["refund"]: it for it in self._rows()}
            made = [it for it in self._simulator.paybacks() if it.refund_id in by_refund]
            free = [it for it in made if it.payment_intent not in self._hit and fits(by_refund[it.refund_id], it)]
            return self._take(free, lambda it: it.payment_intent)

        return self._await(found)

    def _unpaid(self) -> str:
        """Wait for a payment whose refund waits for approval, and take it."""

        def found() -> str | None:
            waiting = [it["payment_intent"] for it in self._rows() if it["status"] == "awaiting_approval"]
            made = {it.payment_intent for it in self._simulator.paybacks()}
            free = [it for it in waiting if it not in self._hit and it not in made]
            return self._take(free, lambda it: it)

        return self._await(found)

    def _take(self, free: Sequence[T], payment_of: Callable[[T], str]) -> T | None:
        if not free:
            return None
        with self._choosing:
            names = self._proxy.names
            by_name = sorted(free, key=lambda it: names.get(payment_of(it), ""))
            chosen = choose(by_name, self._seed, "bank", len(self._hit))
            if payment_of(chosen) in self._hit:
                return None
            self._hit.add(payment_of(chosen))
            return chosen

    def _rows(self) -> list[Row]:
        try:
            return rows(self._database_url, _ROWS)
        except SQLAlchemyError:
            return []  # the database is away

    def _await(self, found: Callable[[], T | None]) -> T:
        deadline = time.monotonic() + CASE_SECONDS_MAX
        while (it := found()) is None:
            if time.monotonic() > deadline or self._ending.wait(POLL_SECONDS):
                raise InVain("a refund to hit")
        return it


def hash_of(seed: object) -> int:
    """Turn any seed into the number that the simulator takes."""
    return choose(range(10**6), seed, "stripe")
