"""What only looks like a deposit: whoever asks, and whoever approves, nothing leaves the wallet."""

from collections.abc import Callable
from contextlib import suppress

import pytest

from devstack.chain import deposit_address
from domain.errors import Refused
from domain.money import NATIVE
from gateways.evm.signer import KeystoreSigner
from tests.activities.till import OWNER, Till, Town, token_till
from tests.fakes import SENDER, WALLET
from tests.workflows.house import COIN, House

Told = tuple[str, str]  # the chain transaction and its asset, as billing tells of them


def _native(line: Till, sender: str, value: int = COIN, **more: str) -> Told:
    tx_hash = line.town.send(sender=sender, value=value, **more)
    line.town.mine()
    return tx_hash, NATIVE


def _token(line: Till, function: str, *values: object, sender: str = SENDER) -> Told:
    assert line.token is not None
    return line.token.send(function, *values, sender=sender), line.token.address


def _fake(line: Till) -> Told:
    fake = line.town.deploy("FakeToken")
    return fake.send("announce", SENDER, deposit_address(), COIN, sender=SENDER), fake.address


def _fake_as_listed(line: Till) -> Told:
    return _fake(line)[0], _token(line, "approve", SENDER, 0)[1]


def _internal(line: Till) -> Told:
    safe = line.town.deploy("ContractWallet")
    owner = line.town.fresh_account(OWNER)
    return safe.send("execute", deposit_address(), COIN, b"", sender=owner, wei=COIN), NATIVE


def _dispersed(line: Till, receivers: int) -> Told:
    disperse = line.town.deploy("Disperse")
    to, amounts = [deposit_address()] * receivers, [COIN] * receivers
    return disperse.send("disperse", to, amounts, sender=SENDER, wei=receivers * COIN), NATIVE


def _reverted(line: Till) -> Told:
    return _token(line, "transfer", deposit_address(), 10**6 * COIN)


CASES: dict[str, Callable[[Till], Told]] = {
    "a token that is not listed": _fake,
    "a made up log, told as the listed token": _fake_as_listed,
    "a token that was minted to us": lambda it: _token(it, "mint", deposit_address(), COIN),
    "a token transfer of nothing": lambda it: _token(it, "transfer", deposit_address(), 0),
    "a token transfer to somebody else": lambda it: _token(it, "transfer", it.town.fresh_account(7), COIN),
    "a token transfer that failed": _reverted,
    "coins to somebody else": lambda it: _native(it, SENDER, to=it.town.fresh_account(7)),
    "dust": lambda it: _native(it, SENDER, value=1),
    "coins from our own wallet": lambda it: _native(it, WALLET),
    "coins from our own deposit address": lambda it: _native(it, deposit_address(), to=WALLET),
    "coins that a contract wallet sent": _internal,
    "one payment out of a payroll": lambda it: _dispersed(it, 1),
    "two payments in one chain transaction": lambda it: _dispersed(it, 2),
    "a hash that nobody knows": lambda _: ("0x" + 64 * "5", NATIVE),
}


@pytest.fixture
def line(town: Town, house: House, signer: KeystoreSigner) -> Till:
    """A line that pays coins and one token."""
    return token_till(town, house, signer, "UsdcLike")


def doubts(line: Till, refund: str) -> tuple[str, ...]:
    """Return everything that an approver may say that they have read."""
    rules = (line.house.see(refund)["verdict"] or {"rules": []})["rules"]
    return tuple(code for it in rules if it["outcome"] == "review" for code in it["code"].split(","))


def insist(line: Till, told: Told) -> str:
    """Bring a refund of what billing tells of as far as people and the pump can bring it."""
    line.feed("dep_1", told[0], asset=told[1])
    refund = line.house.accept("dep_1", rail="crypto", deposit_id="dep_1")
    with suppress(Refused):
        line.steps.check(refund)
    for operator in ("ann", "bob"):
        with suppress(Refused):
            line.house.approve(refund, operator, acknowledge=doubts(line, refund))
    with suppress(Exception):  # a step out of its turn fails in its own way
        line.steps.begin(refund)
    line.turn()
    return refund


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_what_is_no_payment_of_one_account_to_us_pays_nobody(line: Till, case: Callable[[Till], Told]) -> None:
    told = case(line)
    line.town.finalize()
    owned = line.town.balance(WALLET)
    line.open()

    refund = insist(line, told)
    line.until_final(turns=2)

    assert (line.paid(), line.town.balance(WALLET)) == ((0, 0), owned)
    assert [it["nonce"] for it in line.house.see(refund)["payouts"]] in ([], [None])


def test_a_deposit_is_paid_back_only_once_it_is_final(line: Till) -> None:
    tx_hash, asset = _token(line, "transfer", deposit_address(), COIN)
    line.open()
    refund = insist(line, (tx_hash, asset))
    assert (line.paid(), line.house.see(refund)["payouts"]) == ((0, 0), [])

    line.town.finalize()
    line.steps.check(refund)
    line.house.approve(refund)
    line.steps.begin(refund)
    line.turn()
    line.until_final()

    assert line.paid() == (1, 1)


def test_a_deposit_that_a_reorg_took_back_before_paying_is_not_paid(line: Till) -> None:
    refund = line.approved()
    line.town.call("anvil_reorg", 5, [])
    line.town.mine(6)
    line.open()

    with suppress(Exception):
        line.steps.begin(refund)
    line.turn()
    line.until_final()

    assert (line.paid(), line.town.pooled()) == ((0, 0), 0)


def test_tokens_that_a_third_party_pulled_go_back_to_their_owner(line: Till) -> None:
    puller = line.town.fresh_account(OWNER)
    _token(line, "approve", puller, COIN)
    tx_hash, asset = _token(line, "transferFrom", SENDER, deposit_address(), COIN, sender=puller)
    line.feed("dep_1", tx_hash, asset=asset)
    line.town.finalize()
    refund = line.house.accept("dep_1", rail="crypto", deposit_id="dep_1")
    line.steps.check(refund)
    line.house.approve(refund)
    line.open()
    line.steps.begin(refund)
    line.turn()
    line.until_final()

    assert line.paid() == (1, 1)
