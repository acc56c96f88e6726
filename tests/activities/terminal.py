"""Card refunds against the real Stripe simulator: payments are real there, and money is counted in its ledger."""

from collections import Counter
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any

from temporalio.exceptions import ApplicationError

from domain.decisions import ResolutionAction
from domain.money import Money
from domain.payments import CardPaymentRef
from domain.payouts import PayoutStatus
from domain.refunds import Rail, RefundStatus, StatusReason
from ledger.billing import DepositRecord
from ledger.rails import Rails
from tests.activities.steps import Steps
from tests.gateways.stripe_cases import gateway_at
from tests.gateways.stripe_endpoints import Json, Payment, Proxy, Simulator
from tests.workflows.house import House

HOUR = 3600.0
KEY_FORGOTTEN = 25 * HOUR  # Stripe forgets an idempotency key after 24 hours; one more is ours
TRIES_MAX = 60
PATIENCE_SECONDS = 20.0  # a loaded machine is no fault of the row
PAID = (RefundStatus.REFUNDED, StatusReason.PAID, PayoutStatus.SUCCEEDED)
WHAT_STRIPE_SAYS = {
    PayoutStatus.PENDING: "pending",
    PayoutStatus.SUCCEEDED: "succeeded",
    PayoutStatus.FAILED: "failed",
    PayoutStatus.CANCELED: "canceled",
}


@dataclass
class Terminal:
    """Deposits paid by card, and the steps of their refunds. Where a row asks for it, a proxy steps in between."""

    house: House
    stripe: Simulator

    def __post_init__(self) -> None:
        self.steps = self.worker(self.stripe.url)
        self.payments: dict[str, Payment] = {}

    def worker(self, url: str) -> Steps:
        """Return the steps of a worker of its own, with a client of its own."""
        return Steps(self.house, card=gateway_at(url, read_seconds_max=PATIENCE_SECONDS))

    @cached_property
    def proxy(self) -> Proxy:
        return Proxy(self.stripe.url)

    def close(self) -> None:
        if "proxy" in self.__dict__:
            self.proxy.stop()

    # --- where a row begins ---

    def pay(self, name: str = "dep_1", *, told: dict[str, Any] | None = None, **options: Any) -> Payment:
        """Let a customer pay, and billing tell of it: truly, unless `told` says otherwise."""
        payment = self.stripe.pay(**options)
        self.feed(name, payment, **(told or {}))
        return payment

    def feed(self, name: str, payment: Payment, **told: Any) -> None:
        self.payments[name] = payment
        fields: dict[str, Any] = {"payment_intent": payment.intent, "amount_minor": payment.amount_minor}
        record = DepositRecord(
            id=name,
            account_id="acct_1",
            credited=Money(amount_minor=payment.amount_minor, currency="USD"),
            paid_at=self.house.now - timedelta(days=2),
            payment=CardPaymentRef(**({"currency": "USD"} | fields | told)),
        )
        self.house.feed.put_deposit(record, actor="billing")

    def requested(self, name: str = "dep_1", **options: Any) -> str:
        """Hand in the request for a new deposit; nothing is judged yet."""
        self.pay(name, **options)
        return self.house.accept(name, deposit_id=name)

    def asked(self, name: str = "dep_1") -> str:
        """Hand a request in, and judge it."""
        refund = self.house.accept(name, deposit_id=name)
        self.steps.check(refund)
        return refund

    def approved(self, name: str = "dep_1", **options: Any) -> str:
        self.pay(name, **options)
        refund = self.asked(name)
        self.house.approve(refund)
        return refund

    def begun(self, name: str = "dep_1", **options: Any) -> str:
        """Bring the refund of a new deposit to where the next step sends it to Stripe."""
        refund = self.approved(name, **options)
        assert self.steps.begin(refund).status == RefundStatus.PAYING
        return refund

    def sent(self, name: str = "dep_1", **options: Any) -> str:
        """Bring a refund so far that Stripe has answered."""
        refund = self.begun(name, **options)
        self.steps.send_card(refund)
        return refund

    def payment(self, refund: str) -> Payment:
        return self.payments[self.house.see(refund)["deposit_id"] or "dep_1"]

    # --- what happens ---

    def before_post(self, act: Any) -> None:
        """Let something happen between our look and our request."""
        self.steps = self.worker(self.proxy.url)
        self.proxy.on("POST", "/v1/refunds", act=act)

    def rewrite_look(self, change: Any) -> None:
        """Let the next look at a payment see something else."""
        self.steps = self.worker(self.proxy.url)
        self.proxy.on("GET", "/v1/payment_intents/", rewrite=change)

    def pass_time(self, seconds: float) -> None:
        """Move our clock and Stripe's."""
        self.house.clock.advance(seconds)
        self.stripe.control("clock", advance_seconds=int(seconds))

    def try_once(self, refund: str) -> ApplicationError | None:
        """Do one step as the run would: send or look; return what it raised."""
        try:
            self.steps.look_at_card(refund)
        except ApplicationError as error:
            if error.non_retryable:
                self.steps.attend(refund)
            return error
        return None

    def go_on(self, refund: str, *, hours_max: float = 1) -> None:
        """Repeat the step as a run does, each time after the pause that it asked for, until it ends."""
        passed = 0.0
        for _ in range(TRIES_MAX):
            error = self.try_once(refund)
            if error is None or error.non_retryable:
                return
            pause = error.next_retry_delay.total_seconds() if error.next_retry_delay else 2.0
            passed += pause
            if passed > hours_max * HOUR:
                return
            self.pass_time(pause)
        raise AssertionError(f"{refund} is {self.status(refund)} after {TRIES_MAX} tries")

    def retry(self, refund: str) -> None:
        """Let people raise the attempt and approve it, and the run pay it."""
        self.house.resolve(refund, ResolutionAction.RETRY)
        self.steps.read_records(refund)
        self.house.approve(refund, "bob")
        assert self.steps.begin(refund).status == RefundStatus.PAYING
        self.go_on(refund)

    def look_again(self, refund: str) -> None:
        """Let an operator ask for one more look, and the run take it."""
        self.house.resolve(refund, ResolutionAction.LOOK_AGAIN)
        self.steps.read_records(refund)
        self.go_on(refund)

    # --- what can be seen ---

    def status(self, refund: str) -> tuple[str, str | None, PayoutStatus | None]:
        seen = self.house.see(refund)
        payouts = seen["payouts"]
        return seen["status"], seen["status_reason"], PayoutStatus(payouts[-1]["status"]) if payouts else None

    def posts(self, refund: str) -> list[Json]:
        """List every request for a refund under our id that reached Stripe."""
        requests = self.stripe.requests_to_refund()
        return [it for it in requests if it["params"].get("metadata", {}).get("refund_id") == refund]

    def made(self, refund: str) -> list[Json]:
        """List the refunds in Stripe's ledger that carry our id, oldest first."""
        return [it for it in self.stripe.state()["refunds"] if it["metadata"].get("refund_id") == refund]

    def fail(self, refund: str, reason: str = "lost_or_stolen_card") -> None:
        (made,) = self.made(refund)
        self.stripe.control(f"refunds/{made['id']}/fail", failure_reason=reason)

    def is_stopped(self) -> bool:
        """Tell whether the card rail is stopped."""
        return any(it["rail"] == Rail.CARD and it["is_stopped"] for it in Rails(self.house.database).rails())

    def findings_of(self, refund: str) -> Counter[str]:
        return Counter(it["kind"] for it in self.house.views.findings(refund_id=refund))

    def assert_sound(self, refund: str, *, posts: int | None = None) -> None:
        """Hold the matrix's invariants against Stripe's ledger, our database and what operators see.

        `posts` counts the requests that reached Stripe; None where the client repeats by chance of timing.
        """
        state = self.stripe.state()
        payment = self.payment(refund)
        there = [it for it in state["refunds"] if it["payment_intent"] == payment.intent]
        ours = [it for it in there if it["metadata"].get("refund_id") == refund]
        seen = self.house.see(refund)

        assert sum(_is_live(it) for it in ours) <= 1, "live refunds with our id"
        outside = sum(it["status"] == PayoutStatus.PAID_OUTSIDE for it in seen["payouts"])
        assert sum(_is_live(it) for it in ours) + outside + len(self.house.chain.moved()) <= 1, "one rail pays"
        assert sum(it["amount"] for it in there if _is_live(it)) <= payment.amount_minor, "paid beyond the deposit"
        assert {it["amount"] for it in ours} <= {payment.amount_minor}, "a part of the deposit"

        asked = self.posts(refund)
        assert posts in (None, len(asked)), [(it["fault"], it["answer_status"], it["is_replay"]) for it in asked]
        attempts = len({it["idempotency_key"] for it in asked})
        assert attempts == len({it["params"]["metadata"]["attempt"] for it in asked}), "one key for each attempt"
        self._assert_recorded(seen, ours)
        self._assert_booked(seen)
        if seen["status"] == RefundStatus.NEEDS_ATTENTION:
            assert self.findings_of(refund), "a stuck case is in the operators' list"
        assert self.house.trail_is_whole()

    def _assert_recorded(self, seen: Json, ours: list[Json]) -> None:
        """What we have recorded of each attempt is what Stripe's ledger says of it, or says that we do not know."""
        for payout in seen["payouts"]:
            made = [it for it in ours if it["metadata"]["attempt"] == str(payout["attempt"])]
            status = PayoutStatus(payout["status"])
            if status in WHAT_STRIPE_SAYS:
                assert [it["id"] for it in made] == [payout["provider_ref"]]
                assert made[0]["status"] == WHAT_STRIPE_SAYS[status]
            elif status != PayoutStatus.UNKNOWN:
                assert made == [], f"{status}, and yet there is a refund"

    def _assert_booked(self, seen: Json) -> None:
        """The books add up, and the deposit stands where the refund's state says."""
        books = self.house.books()
        if len(self.payments) > 1:
            return
        amount = next(iter(self.payments.values())).amount_minor
        status = seen["payouts"][-1]["status"] if seen["payouts"] else None
        if status in (PayoutStatus.SUCCEEDED, PayoutStatus.PAID_OUTSIDE):
            assert books == {"refunded": amount}
        elif seen["status"] in (RefundStatus.PAYING, RefundStatus.CONFIRMING, RefundStatus.NEEDS_ATTENTION):
            assert books in ({"held": amount}, {"charged_back": amount})
        else:
            assert books in ({"spendable": amount}, {"held": amount}, {"charged_back": amount})


def _is_live(refund: Json) -> bool:
    return refund["status"] not in ("failed", "canceled")
