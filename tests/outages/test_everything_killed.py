"""Every process is killed at once, with refunds in every state; started again, each goes on to its right end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.outages.city import City, Purse, until
from tests.outages.parts import is_gone, pids, up

pytestmark = [pytest.mark.stack, pytest.mark.timeout(240)]

HANG_SECONDS = 120
UNPAID = ("rejected", "ineligible", "withdrawn", "duplicate")
# What each refund was doing when everything died; a name says more than the status where the status is not all.
STATES = {
    "card rejected": "rejected",
    "card ineligible": "ineligible",
    "card withdrawn": "withdrawn",
    "card duplicate": "duplicate",
    "card refunded": "refunded",
    "card needs_attention": "needs_attention",
    "card awaiting_ownership": "awaiting_ownership",
    "card awaiting_orders": "awaiting_orders",
    "card awaiting_approval": "awaiting_approval",
    "card approved, unheard": "awaiting_approval",
    "card paying, hang_before": "paying",
    "card paying, hang_after": "paying",
    "card confirming": "confirming",
    "card checking": "checking",
    "card never told": "checking",
    "crypto rejected": "rejected",
    "crypto refunded": "refunded",
    "crypto awaiting_ownership": "awaiting_ownership",
    "crypto awaiting_orders": "awaiting_orders",
    "crypto awaiting_approval": "awaiting_approval",
    "crypto approved, unheard": "awaiting_approval",
    "crypto unsettled": "awaiting_orders",
    "crypto paying": "paying",
    "crypto confirming": "confirming",
}
PAID = [name for name, status in STATES.items() if status not in UNPAID]


@dataclass
class Cases:
    """Refunds by what they were doing when everything died, with the purses that they pay back."""

    refunds: dict[str, str] = field(default_factory=dict)
    purses: dict[str, Purse] = field(default_factory=dict)

    def add(self, name: str, purse: Purse, refund: str) -> str:
        self.refunds[name], self.purses[name] = refund, purse
        return refund


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stack")


@pytest.fixture(scope="module")
def before(folder: Path, policy: Path) -> Iterator[tuple[City, Cases]]:
    """A stack that was killed whole."""
    cases = Cases()
    with up(folder, {"REFUNDS_POLICY": str(policy)}) as (supervisor, info):
        city = City(info)
        _settle_down(city, cases)
        _leave_under_way(city, cases)
        _leave_unheard(city, cases, folder)
        all_pids = [supervisor.pid, *pids(folder).values()]
        assert {name: city.seen(refund)["status"] for name, refund in cases.refunds.items()} == STATES
        for pid in all_pids:
            with suppress(ProcessLookupError):  # the supervisor's end may have taken it along
                os.kill(pid, signal.SIGKILL)
        supervisor.wait()
    until(lambda: all(map(is_gone, all_pids)), "every process to be gone")
    yield city, cases
    city.close()


def _settle_down(city: City, cases: Cases) -> None:
    """Bring refunds to where they wait for somebody, or have ended."""
    coins = city.pay_coins(8)
    rejected, ineligible, withdrawn = city.pay_card(), city.pay_card(days_ago=15), city.pay_card()
    city.decide(cases.add("card rejected", rejected, city.ask(rejected)), "reject")
    cases.add("card ineligible", ineligible, city.ask(ineligible))
    refund = cases.add("card withdrawn", withdrawn, city.ask(withdrawn))
    city.stands(refund, "awaiting_approval")
    city.must("helpdesk", "POST", f"/v1/refunds/{refund}/withdraw", {"reason": "changed my mind"})
    paid, failed = city.pay_card(), city.pay_card("pm_card_pendingRefund")
    city.decide(cases.add("card refunded", paid, city.ask(paid)))
    city.decide(cases.add("card needs_attention", failed, city.ask(failed)))
    for name, card in (("card awaiting_approval", "pm_card_visa"), ("card approved, unheard", "pm_card_visa")):
        purse = city.pay_card(card)
        cases.add(name, purse, city.ask(purse))
    held = cases.purses["card awaiting_approval"]
    city.stands(cases.refunds["card awaiting_approval"], "awaiting_approval")
    cases.add("card duplicate", held, city.ask(held))
    mail, ordered = city.pay_card(), city.pay_card()
    cases.add("card awaiting_ownership", mail, city.ask_by_mail(mail))
    _order(city, ordered, "pending")
    cases.add("card awaiting_orders", ordered, city.ask(ordered))
    city.stands(cases.refunds["card needs_attention"], "confirming")
    (pending,) = city.stripe_refunds(failed)
    city.simulator(f"refunds/{pending['id']}/fail", {})

    city.until_final(coins)
    names = (
        "awaiting_ownership",
        "awaiting_orders",
        "awaiting_approval",
        "approved, unheard",
        "rejected",
        "refunded",
    )
    for name, purse in zip(names, coins, strict=False):
        if name == "awaiting_orders":
            _order(city, purse, "pending")
        ask = city.ask_by_mail if name == "awaiting_ownership" else city.ask
        cases.add(f"crypto {name}", purse, ask(purse))
    city.decide(cases.refunds["crypto refunded"])
    city.decide(cases.refunds["crypto rejected"], "reject")
    for name, purse in zip(("confirming", "paying"), coins[6:], strict=True):
        city.stands(cases.add(f"crypto {name}", purse, city.ask(purse)), "awaiting_approval")
    for name in ("crypto refunded", "crypto rejected", "card refunded", "card rejected", "card ineligible"):
        city.stands(cases.refunds[name], name.rpartition(" ")[2])
    for name in ("card withdrawn", "card duplicate", "card needs_attention"):
        city.stands(cases.refunds[name], name.rpartition(" ")[2])


def _leave_under_way(city: City, cases: Cases) -> None:
    """Leave money on its way: sent and not answered, in a block that is not final, in no block at all."""
    unsettled = city.pay_coins(1)[0]
    city.rpc("evm_setIntervalMining", 0)
    cases.add("crypto unsettled", unsettled, city.ask(unsettled))
    nonce = city.wallet_nonce()
    city.decide(cases.refunds["crypto confirming"])
    until(lambda: _pending_nonce(city) == nonce + 1, "the payout to be in the node's pool")
    city.rpc("anvil_mine", hex(1))
    city.stands(cases.refunds["crypto confirming"], "confirming")
    pending = city.pay_card("pm_card_pendingRefund")
    city.decide(cases.add("card confirming", pending, city.ask(pending)))
    for kind in ("hang_before", "hang_after"):
        purse = city.pay_card()
        refund = cases.add(f"card paying, {kind}", purse, city.ask(purse))
        city.stands(refund, "awaiting_approval")
        city.stands(cases.refunds["card confirming"], "confirming")
        fault = {"method": "POST", "path_prefix": "/v1/refunds", "kind": kind, "hang_seconds": HANG_SECONDS}
        city.simulator("faults", fault)
        city.decide(refund)
        until(city.are_faults_spent, "the refund to be asked for at Stripe")
        city.stands(refund, "paying")
    city.decide(cases.refunds["crypto paying"])
    until(lambda: _pending_nonce(city) == nonce + 2, "the second payout to be in the node's pool")
    city.stands(cases.refunds["crypto paying"], "paying")


def _leave_unheard(city: City, cases: Cases, folder: Path) -> None:
    """Record what no run hears of: decisions and requests while the worker hangs, one while Temporal does too."""
    purses = [city.pay_card(), city.pay_card()]
    os.kill(pids(folder)["worker"], signal.SIGSTOP)
    city.decide(cases.refunds["card approved, unheard"])
    city.decide(cases.refunds["crypto approved, unheard"])
    cases.add("card checking", purses[0], city.ask(purses[0]))
    os.kill(pids(folder)["temporal"], signal.SIGSTOP)
    refund = cases.add("card never told", purses[1], city.ask(purses[1]))
    assert city.seen(refund)["status"] == "checking"


def _pending_nonce(city: City) -> int:
    return int(city.rpc("eth_getTransactionCount", city.info["chains"][0]["wallet"], "pending"), 16)


def _order(city: City, purse: Purse, status: str) -> None:
    body = {
        "account_id": purse.account,
        "product": "sms",
        "amount_minor": 50,
        "currency": "USD",
        "status": status,
        "created_at": "2026-01-01T00:00:00Z",
    }
    city.insist("billing", "PUT", f"/v1/orders/ord_{purse.account}", body)


def test_killed_stack_goes_on_with_every_refund_and_pays_each_once(
    before: tuple[City, Cases],
    folder: Path,
    policy: Path,
    broken_trail: Callable[[str], str | None],
    record_testsuite_property: Callable[[str, object], None],
) -> None:
    city, cases = before
    refunds, purses = cases.refunds, cases.purses
    began = time.monotonic()

    with up(folder, {"REFUNDS_POLICY": str(policy)}) as (_, info):
        record_testsuite_property("seconds_until_up", round(time.monotonic() - began, 1))
        assert {**info, "pids": None} == {**city.info, "pids": None}
        _finish(city, cases)
        for name in PAID:
            city.stands(refunds[name], "refunded")
            record_testsuite_property(f"seconds_until_refunded {name}", round(time.monotonic() - began, 1))

        for name in PAID:
            city.assert_paid_once(purses[name])
        for name in ("card rejected", "card ineligible", "card withdrawn", "crypto rejected"):
            city.assert_not_paid(purses[name])
            assert city.seen(refunds[name])["status"] == STATES[name]
        assert city.seen(refunds["card duplicate"])["status"] == "duplicate"
        assert city.wallet_nonce() == sum(name.startswith("crypto") for name in PAID)
        assert [it["status"] for it in city.stripe_refunds(purses["card needs_attention"])] == ["failed", "succeeded"]
        _assert_still_watched(city, refunds["card refunded"], purses["card refunded"])
        assert broken_trail(f"sqlite:///{folder / 'refunds.sqlite'}") is None


def _finish(city: City, cases: Cases) -> None:
    """Do what each refund waits for; what waits for nobody must go on by itself."""
    refunds = cases.refunds
    city.resolve(refunds["card needs_attention"], "retry")
    for rail in ("card", "crypto"):
        city.confirm(refunds[f"{rail} awaiting_ownership"])
        _order(city, cases.purses[f"{rail} awaiting_orders"], "cancelled")
    (pending,) = city.stripe_refunds(cases.purses["card confirming"])
    city.simulator(f"refunds/{pending['id']}/settle", {})
    waiting = ("awaiting_approval", "awaiting_ownership", "awaiting_orders")
    for name in [f"{rail} {status}" for rail in ("crypto", "card") for status in waiting]:
        city.decide(refunds[name])
    for name in ("crypto unsettled", "card checking", "card never told", "card needs_attention"):
        city.decide(refunds[name])
    retried = cases.purses["card needs_attention"]
    until(lambda: len(city.stripe_refunds(retried)) == 2, "the second attempt")
    city.simulator(f"refunds/{city.stripe_refunds(retried)[1]['id']}/settle", {})


def _assert_still_watched(city: City, refund: str, purse: Purse) -> None:
    """A refund that was paid before is still cared for: it fails at the bank, and the case is opened again."""
    (paid,) = city.stripe_refunds(purse)
    city.simulator(f"refunds/{paid['id']}/fail", {})

    async def wake() -> None:
        client = await Client.connect(city.info["temporal"])
        await client.get_workflow_handle(f"refund/{refund}").signal("wake")

    asyncio.run(wake())
    city.stands(refund, "needs_attention", "payout_failed")
    assert city.books(purse)["held_minor"] > 0
