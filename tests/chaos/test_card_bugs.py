"""Each mistake about cards that can be planted is one: it does harm, and what judges a run tells of it.

Here without processes that die, in a second each; `make chaos-bugs` plants them into whole runs.
"""

import tomllib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from pydantic import SecretStr
from temporalio.exceptions import ApplicationError

from bench.card import CardLine
from bench.wallet_line import furnish
from chaos.card import bugs
from chaos.card.faults import Fault, Faults
from chaos.card.judge import is_paid_twice, judge_attempts
from chaos.card.proxy import CardProxy
from chaos.card.simulator import KEY, Simulator
from domain.decisions import Action
from domain.errors import RefundError
from domain.people import Role
from domain.policy import Policy
from domain.refunds import RefundStatus
from gateways.stripe.gateway import StripeGateway
from ledger.clients import Clients
from ledger.database import Database
from ledger.records import NewDecision, Records

POLICY = Policy.parse(tomllib.loads((Path(__file__).resolve().parents[2] / "policy.toml").read_text()))


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Simulator]:
    with Simulator(tmp_path_factory.mktemp("stripe"), "permissive") as simulator:
        yield simulator


class Case:
    """One payout that only has to be sent, and what becomes of it."""

    def __init__(self, simulator: Simulator, proxy: CardProxy, database: Database) -> None:
        self.simulator, self.proxy, self.database = simulator, proxy, database
        furnish(database, POLICY)
        Clients(database).add("bob", Role.APPROVER, actor="bench")
        gateway = StripeGateway(SecretStr(KEY), mode="test", api_base=proxy.url, requests_per_second=1000)
        self.line, self.payment = CardLine(database, POLICY, gateway), simulator.open_purse(0).owner
        self.deposit = self.line.credit(self.payment)

    def send_twice(self) -> RefundStatus | None:
        """Send, lose the answer, and try again."""
        key, _ = self.line.begin(self.deposit)
        self.proxy.faults.arm(Fault.LOST_REPLY)
        status = None
        for _ in range(2):
            with suppress(ApplicationError):
                status = self.line.send(key).status
        return status

    def breaches(self) -> list[str]:
        made = [it for it in self.simulator.paybacks() if it.payment_intent == self.payment]
        return judge_attempts(made, frozenset(), frozenset()) + (["paid twice"] if is_paid_twice(made) else [])


@pytest.fixture
def case(simulator: Simulator, tmp_path: Path) -> Iterator[Case]:
    with CardProxy(simulator.url, Faults(0, read_rates={}, refund_rates={})) as proxy:
        database = Database(f"sqlite:///{tmp_path / 'refunds.sqlite'}")
        yield Case(simulator, proxy, database)
        database.close()


@pytest.fixture
def plant(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Plant a mistake for one test."""
    monkeypatch.setattr(bugs, "_replace", monkeypatch.setattr)
    return lambda name: bugs.CARD_BUGS[name]()


@pytest.mark.parametrize("name", ["", "new_key_per_retry"])
def test_a_new_key_without_a_look_pays_again(case: Case, plant: Callable[[str], None], name: str) -> None:
    if name:
        plant(name)

    case.send_twice()

    assert ("paid twice" in case.breaches()) == bool(name)


@pytest.mark.parametrize("name", ["", "failed_ones_skipped"])
def test_who_skips_what_failed_sends_it_again(case: Case, plant: Callable[[str], None], name: str) -> None:
    if name:
        plant(name)
    case.simulator.tell("next_refunds", status="failed", failure_reason="lost_or_stolen_card", times=1)

    case.send_twice()

    assert any("made 2 refunds" in it for it in case.breaches()) == bool(name)


@pytest.mark.parametrize("name", ["", "pending_is_refunded"])
def test_what_is_pending_is_not_refunded(case: Case, plant: Callable[[str], None], name: str) -> None:
    if name:
        plant(name)
    case.simulator.tell("next_refunds", status="pending", pending_reason="processing", times=1)

    status = case.send_twice()

    assert (status == RefundStatus.REFUNDED) == bool(name)


@pytest.mark.parametrize("name", ["", "last_decision_wins"])
def test_a_rejection_that_was_accepted_stands(case: Case, plant: Callable[[str], None], name: str) -> None:
    if name:
        plant(name)
    decide = Records.decide

    def reject_first(self: Records, refund: str, decision: NewDecision, *, operator: str) -> None:
        reject = {"decision_id": f"no-{refund}", "action": Action.REJECT, "reason": "no"}
        decide(self, refund, decision.model_copy(update=reject), operator="bob")
        decide(self, refund, decision, operator=operator)

    with pytest.MonkeyPatch.context() as patch, suppress(RefundError, ApplicationError):
        patch.setattr(Records, "decide", reject_first)
        case.send_twice()

    paid = [it for it in case.simulator.paybacks() if it.payment_intent == case.payment]
    assert bool(paid) == bool(name)
