"""The card rail of a run: Stripe behind faults, a bank, the late delivery of every lost request, and the judge."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaos.card.bank import DAY_AND_AN_HOUR_SECONDS, SETTLED_AFTER_SECONDS, Bank
from chaos.card.evidence import collect, disputes_in
from chaos.card.faults import NEEDS_STRIPES_GUARDS, Faults
from chaos.card.judge import SETTLED_DISPUTES, Evidence, Payback, Told, is_paid_twice, judge, judge_attempts
from chaos.card.operators import Operators
from chaos.card.proxy import CardProxy
from chaos.card.simulator import KEY, WEBHOOK_SECRET, Simulator
from chaos.chance import shuffled
from chaos.judgement import Judgement
from chaos.nemesis import Blow
from chaos.people import People
from chaos.purses import Purse, Record
from chaos.waiting import until

LATE_SECONDS_MAX = 30.0
REPLAYS = 2
REQUESTS_PER_SECOND = "100"  # nobody else asks this Stripe
HOOK = "/v1/hooks/stripe"


class CardRail:
    """A context manager; everything that a run needs of this rail."""

    subject = "any"
    stop_point = "*_card_refund.leap.before"
    stop_seconds = 16.0  # its step counts as dead after five, is tried again after two more, and then looks first
    stories_share = 3.0  # a refund takes a second, and each blow must find one on its way
    # Whichever step sends, the one for it or a later look at what became of it: both do the same.
    crash_points: tuple[tuple[str, str], ...] = (
        ("begin_payout.begin.committed", "kill"),
        ("*_card_refund.record_sending.committed", "kill"),
        ("*_card_refund.leap.before", "kill"),
        ("*_card_refund.leap.half_sent", "kill"),
        ("*_card_refund.leap.after", "kill"),
        ("*_card_refund.record_outcome.uncommitted", "raise"),
        ("*_card_refund.record_outcome.committed", "kill"),
    )

    def __init__(self, folder: Path, *, seed: object, profile: str, **_: object) -> None:
        self._seed, self._keeps_guards = seed, profile == "faithful"
        self._simulator = Simulator(folder, profile)
        without = frozenset() if self._keeps_guards else NEEDS_STRIPES_GUARDS
        self._faults = Faults(seed, without=without)
        self._journal_file = folder / "stripe.jsonl"
        self._parts = ExitStack()
        self._proxy: CardProxy
        self._bank: Bank
        self._operators = Operators(seed)
        self._database_url = ""
        self._at_rest: Sequence[Payback] = ()

    def __enter__(self) -> Self:
        with ExitStack() as parts:
            parts.enter_context(self._simulator)
            self._proxy = parts.enter_context(
                CardProxy(self._simulator.url, self._faults, journal=self._journal_file)
            )
            self._parts = parts.pop_all()
        self._faults.factor = 0.0
        self._bank = Bank(self._simulator, self._proxy, self._seed, keeps_guards=self._keeps_guards)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._parts.close()

    def settings(self) -> dict[str, str]:
        """Return the environment that tells the product of this rail."""
        return {
            "REFUNDS_STRIPE_API_BASE": self._proxy.url,
            "REFUNDS_STRIPE_SECRET_KEY": KEY,
            "REFUNDS_STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
            "REFUNDS_STRIPE_REQUESTS_PER_SECOND": REQUESTS_PER_SECOND,
        }

    def meet(self, people: People, database_url: str, api: str) -> None:
        """Learn of the service: who mends calls it, and it is sent webhooks, whether it hears them or not."""
        self._people, self._database_url = people, database_url
        self._simulator.tell("webhooks/targets", url=f"{api}{HOOK}", secrets=[WEBHOOK_SECRET])

    def open_purses(self, count: int) -> list[Purse]:
        """Let customers pay; nothing goes wrong yet."""
        purses = [self._simulator.open_purse(number) for number in range(count)]
        self._proxy.names.update({it.owner: it.name for it in purses})
        self._count = count
        return purses

    def lanes(self, ending: threading.Event) -> dict[str, list[Blow]]:
        """Let the storm begin: from now on the rates hold, and these are the blows."""
        self._bank.meet(self._database_url, ending)
        self._operators.meet(self._people, self._database_url, ending)
        self._operators.untouchable = self._bank.outside
        self._bank.begin()
        return {
            "bank": self._bank.acts(self._count),
            "weather": self._bank.weather(),
            "postmen": self._bank.postmen(),
            "operators": self._operators.acts(self._count),
        }

    def payouts_made(self) -> int:
        """Count the refunds that Stripe holds, whatever the product knows of them."""
        return sum(it.is_live for it in self._simulator.paybacks())

    def is_over(self, refunds: Sequence[Mapping[str, Any]]) -> bool:
        """Tell whether each refund has ended or stands before an operator, and whether Stripe says the same.

        A refund that is told as refunded is not over while its payment is disputed or its refund has failed, nor is
        one that is before an operator for a dispute which the bank has given up.
        """
        told = {it["id"]: Told(it["status"], it["waiting_for"]) for it in refunds}
        self._bank.settle(SETTLED_AFTER_SECONDS if self._faults.factor else 0.0)
        if not all(it.is_over for it in told.values()) or self._operators.are_waiting():
            return False
        state = self._simulator.state()
        disputes = disputes_in(state)
        disputed = {it for it, statuses in disputes.items() if not set(statuses) <= set(SETTLED_DISPUTES)}
        newest = {it.refund_id: it for it in self._simulator.paybacks(state) if it.refund_id in told}
        return all(
            it.is_live and it.status != "pending" and it.payment_intent not in disputed
            if told[refund].status == "refunded"
            else not (it.is_live and it.payment_intent in disputes.keys() - disputed)
            for refund, it in newest.items()
        )

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._bank.clear()

    def is_broken(self, records: Sequence[Record], database_url: str) -> bool:
        """Tell whether something is certain already that no later moment can mend."""
        paybacks = self._simulator.paybacks()
        late = frozenset(it.made for it in self._proxy.journal.posts if it.is_late)
        retried = frozenset(self._operators.retried)
        if is_paid_twice(paybacks) or judge_attempts(paybacks, late, retried) or self._bank.told_early:
            return True
        unpaid = {it.purse.owner for it in records if it.is_told and not it.is_due}
        by_us = (it for it in paybacks if it.refund_id or it.payment_intent not in self._bank.outside)
        return any(it.is_live and it.payment_intent in unpaid for it in by_us)

    def come_to_rest(self, records: Sequence[Record]) -> None:
        """Keep what Stripe shows now."""
        until(lambda: self._proxy.is_calm, "late requests to arrive", LATE_SECONDS_MAX)
        self._at_rest = self._simulator.paybacks()

    def replay(self) -> None:
        """Deliver every request whose answer was lost again, at once and once more a day later.

        A day later Stripe has forgotten the keys, and only what is left of a payment can be refunded. Where it has
        neither guard nor memory every request is carried out anew, whatever its client did; there it is left out.
        """
        if not self._keeps_guards:
            return
        lost = [it for it in self._proxy.journal.posts if it.is_lost]
        for number in range(REPLAYS):
            for post in shuffled(lost, self._seed, "replay", number):
                self._proxy.deliver_again(post)
            self._simulator.tell("clock", advance_seconds=DAY_AND_AN_HOUR_SECONDS)

    def evidence(
        self, records: Sequence[Record], people: People, database_url: str, quiet_seconds: float | None
    ) -> Evidence:
        """Collect what is judged."""
        state = self._simulator.state()
        return collect(
            records=records,
            people=people,
            database_url=database_url,
            at_rest=self._at_rest,
            at_end=self._simulator.paybacks(state),
            state=state,
            posts=self._proxy.journal.posts,
            outside=frozenset(self._bank.outside),
            told_early=frozenset(self._bank.told_early),
            retried=frozenset(self._operators.retried),
            quiet_seconds=quiet_seconds,
        )

    def judge(self, evidence: Evidence) -> Judgement:
        """Count and compare."""
        return judge(evidence)

    def fired(self) -> Counter[str]:
        """Count the faults by their kind, those on the way and those at Stripe."""
        found = Counter(self._faults.fired)
        for it in self._simulator.command("GET", "faults")[1]["faults_fired"]:
            found[f"stripe_{it['kind']}"] += int(it["times"])
        return found

    def not_reached(self, evidence: Evidence) -> list[str]:
        """Name what should have happened in a run that shows anything, and did not."""
        fired, posts = self.fired(), evidence.posts
        missing = [f"the fault {fault}" for fault in self._faults.planned if not fired[str(fault)]]
        if not fired["stripe_500_after"]:
            missing.append("a 500 that Stripe keeps for its key")
        if not any(it.is_lost and it.made for it in posts):
            missing.append("a refund that was made and whose answer was lost")
        asked = Counter((it.refund_id, it.attempt) for it in posts)
        if not any(number > 1 for number in asked.values()):
            missing.append("a refund that was asked for twice")
        made = {(it.refund_id, it.attempt) for it in evidence.paybacks_at_rest}
        if not evidence.retried & made:
            missing.append("a payout that an operator asked for anew")
        return missing
