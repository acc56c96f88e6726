"""Paying tokens on a real node: what is signed, what is asked of the token before, and what counts as paid."""

from collections.abc import Callable

import pytest
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from hexbytes import HexBytes

from devstack.chain import account, depositor, wallet
from devstack.contracts.contract import Contract, deploy
from domain.errors import BytesDiffer, NeedsOperator, TryAgain
from domain.transfers import Outgoing, Sighting, SignedTransfer, Transfer, TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain, chain_settings
from tests.gateways.evm.payouts import outgoing, signed_otherwise

OWNER = account(4).address
AMOUNT, FLOAT = 10_000, 1_000_000
COSTS = TransferTerms(gas=90_000, max_fee_per_gas_wei=10**11, max_priority_fee_per_gas_wei=10**6)
BLACKLISTS = {"UsdtLike": "isBlackListed", "UsdcLike": "isBlacklisted"}
DECIMALS = {"UsdtLike": 6, "UsdcLike": 6}


class Till:
    """One token that the wallet pays in, behind the gateway."""

    def __init__(self, local: LocalChain, signer: KeystoreSigner, name: str, **changes: object) -> None:
        self.local, self.token = local, deploy(local.call, name, sender=OWNER)
        self.token.send("mint", wallet().address, FLOAT, sender=OWNER)
        listed = {
            "address": self.token.address,
            "symbol": "TKN",
            "decimals": DECIMALS.get(name, 18),
            "min_amount_base_units": 1,
            "blacklist": BLACKLISTS.get(name),
        }
        self.settings = chain_settings(local.anvil.url, tokens=[listed | changes])
        self.chain = EvmChain(self.settings, signer)
        self.outgoing = outgoing(asset=self.token.address, amount_base_units=AMOUNT)

    def transfer(self, terms: TransferTerms | None = None) -> Transfer:
        nonce = int(self.local.call("eth_getTransactionCount", wallet().address, "pending"), 16)
        return Transfer(**self.outgoing.model_dump(), nonce=nonce, terms=terms or self.chain.terms(self.outgoing))

    def pay(self, terms: TransferTerms | None = None) -> tuple[SignedTransfer, Sighting]:
        """Send one payout, whatever the token would say to it when `terms` are given, and look at it once final."""
        signed = self.chain.sign(self.transfer(terms))
        self.chain.broadcast(signed.raw)
        self.local.mined_in(signed.tx_hash)
        self.local.finalize()
        return signed, self.chain.look(self.outgoing, signed.tx_hash)


@pytest.fixture
def till(local: LocalChain, signer: KeystoreSigner) -> Callable[..., Till]:
    return lambda name="UsdtLike", **changes: Till(local, signer, name, **changes)


@pytest.mark.parametrize("name", ["UsdtLike", "UsdcLike", "FalseReturning"])
def test_token_that_answers_nothing_or_true_is_paid_by_one_call_without_coins(
    name: str, till: Callable[..., Till]
) -> None:
    paying = till(name)
    before = paying.token.ask("balanceOf", depositor().address)

    signed, seen = paying.pay()

    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert HexBytes(fields["to"]).to_0x_hex() == paying.token.address.lower()
    assert fields["value"] == 0
    assert HexBytes(fields["data"]).to_0x_hex() == paying.token.data("transfer", depositor().address, AMOUNT)
    assert (seen.succeeded, seen.is_final, seen.moved_otherwise) == (True, True, None)
    assert paying.token.ask("balanceOf", depositor().address) - before == AMOUNT
    assert paying.chain.token_balance(paying.token.address) == FLOAT - AMOUNT


def test_gas_is_estimated_with_a_fifth_more_up_to_the_tokens_own_cap(till: Callable[..., Till]) -> None:
    paying = till()
    call = {"from": wallet().address, "to": paying.token.address}
    data = paying.token.data("transfer", depositor().address, AMOUNT)
    estimate = int(paying.local.call("eth_estimateGas", call | {"data": data}), 16)
    at_cap, below = till(gas_cap=estimate), till(gas_cap=estimate - 1)

    assert paying.chain.terms(paying.outgoing).gas == -(-estimate * 6 // 5)
    assert at_cap.chain.terms(at_cap.outgoing).gas == estimate
    with pytest.raises(NeedsOperator, match="above the cap"):
        below.chain.terms(below.outgoing)


@pytest.mark.parametrize("name", ["UsdtLike", "UsdcLike"])
def test_receiver_that_the_token_froze_is_not_paid(name: str, till: Callable[..., Till]) -> None:
    paying = till(name)
    paying.token.send("blacklist", depositor().address, True, sender=OWNER)

    with pytest.raises(NeedsOperator, match="frozen the address that sent the deposit") as caught:
        paying.chain.terms(paying.outgoing)

    assert caught.value.reason == "route_unknown"


@pytest.mark.parametrize("name", ["UsdtLike", "UsdcLike"])
def test_frozen_wallet_stops_the_rail(name: str, till: Callable[..., Till]) -> None:
    paying = till(name)
    paying.token.send("blacklist", wallet().address, True, sender=OWNER)

    with pytest.raises(NeedsOperator, match="frozen our wallet") as caught:
        paying.chain.terms(paying.outgoing)

    assert caught.value.reason == "rail_stopped"


def test_token_that_cannot_be_asked_whom_it_froze_pays_nobody(till: Callable[..., Till]) -> None:
    paying = till("FalseReturning", blacklist="isBlacklisted")

    with pytest.raises(NeedsOperator, match="does not answer isBlacklisted"):
        paying.chain.terms(paying.outgoing)


@pytest.mark.parametrize("name", ["UsdtLike", "UsdcLike"])
def test_paused_token_waits_and_pays_once_it_moves_again(name: str, till: Callable[..., Till]) -> None:
    paying = till(name)
    paying.token.send("pause", True, sender=OWNER)

    with pytest.raises(TryAgain, match="is paused") as caught:
        paying.chain.terms(paying.outgoing)
    paying.token.send("pause", False, sender=OWNER)

    assert caught.value.after_seconds
    assert paying.pay()[1].succeeded


def test_wallet_with_too_few_tokens_waits(till: Callable[..., Till]) -> None:
    paying = till()
    paying.outgoing = paying.outgoing.model_copy(update={"amount_base_units": FLOAT + 1})

    with pytest.raises(TryAgain, match="holds too little TKN"):
        paying.chain.terms(paying.outgoing)


def test_token_that_answers_false_is_not_signed(till: Callable[..., Till]) -> None:
    paying = till("FalseReturning")
    paying.token.send("set_refuses", True, sender=OWNER)

    with pytest.raises(NeedsOperator, match="it answered false") as caught:
        paying.chain.terms(paying.outgoing)

    assert caught.value.reason == "route_unknown"


@pytest.mark.parametrize("is_listed", [True, False], ids=["without code", "not on the list"])
def test_token_without_code_or_not_listed_is_never_quoted(is_listed: bool, till: Callable[..., Till]) -> None:
    paying, nobody = till(), account(9).address
    chain = till(address=nobody).chain if is_listed else paying.chain

    with pytest.raises(NeedsOperator, match="has no code" if is_listed else "not on the list"):
        chain.terms(paying.outgoing.model_copy(update={"asset": nobody}))


def _switch(function: str, *values: object) -> Callable[[Contract], None]:
    def turn(token: Contract) -> None:
        token.send(function, *values, sender=OWNER)

    return turn


@pytest.mark.parametrize(
    ("name", "turn", "told"),
    [
        pytest.param("UsdtLike", _switch("set_fee", 100), "9900 of 10000", id="USDT switched its fee on"),
        pytest.param("FeeOnTransfer", _switch("mint", OWNER, 1), "9900 of 10000", id="always takes a fee"),
        pytest.param("FalseReturning", _switch("set_refuses", True), "no transfer from the wallet", id="false"),
    ],
)
def test_a_success_that_moved_something_else_is_not_paid_and_no_revert(
    name: str, turn: Callable[[Contract], None], told: str, till: Callable[..., Till]
) -> None:
    paying = till(name)
    turn(paying.token)

    _, seen = paying.pay(COSTS)

    assert (seen.is_mined, seen.is_final, seen.succeeded) == (True, True, False)
    assert seen.moved_otherwise is not None
    assert told in seen.moved_otherwise


def test_a_revert_moved_nothing_and_says_so(till: Callable[..., Till]) -> None:
    paying = till()
    paying.token.send("pause", True, sender=OWNER)

    _, seen = paying.pay(COSTS)

    assert (seen.is_mined, seen.succeeded, seen.moved_otherwise) == (True, False, None)


@pytest.mark.parametrize(
    "tamper",
    [
        pytest.param(lambda it: {"to": account(8).address}, id="another token"),
        pytest.param(lambda it: {"value": 1}, id="coins beside it"),
        pytest.param(lambda it: {"data": it.token.data("approve", depositor().address, AMOUNT)}, id="an approval"),
        pytest.param(lambda it: {"data": it.token.data("transfer", OWNER, AMOUNT)}, id="another receiver"),
        pytest.param(
            lambda it: {"data": it.token.data("transfer", depositor().address, AMOUNT + 1)}, id="another amount"
        ),
        pytest.param(
            lambda it: {"data": it.token.data("transfer", depositor().address, AMOUNT) + "00"}, id="more bytes"
        ),
        pytest.param(lambda it: {"nonce": 10**6}, id="another nonce"),
        pytest.param(lambda it: {"chainId": 1}, id="another chain"),
        pytest.param(lambda it: {"gas": 100_001}, id="gas above the cap"),
        pytest.param(lambda it: {"maxFeePerGas": 501 * 10**9}, id="a fee above the cap"),
    ],
)
def test_stored_bytes_that_move_anything_else_stop_the_wallet(
    tamper: Callable[[Till], dict[str, object]], till: Callable[..., Till]
) -> None:
    paying = till()
    wanted = paying.transfer()
    right = {"to": paying.token.address, "value": 0, "data": paying.token.data("transfer", wanted.to, AMOUNT)}

    paying.chain.require_faithful(paying.outgoing, wanted.nonce, signed_otherwise(wanted, **right))
    with pytest.raises(BytesDiffer) as caught:
        paying.chain.require_faithful(
            paying.outgoing, wanted.nonce, signed_otherwise(wanted, **(right | tamper(paying)))
        )

    assert caught.value.differences


def test_cancelling_moves_nothing_under_the_same_nonce_and_is_paid_by_no_look(till: Callable[..., Till]) -> None:
    paying = till()
    nonce = paying.transfer().nonce
    nothing = Outgoing(chain_id=31337, wallet=wallet().address, to=wallet().address, amount_base_units=0)
    fields = nothing.model_dump() | {"nonce": nonce, "terms": COSTS}

    signed = paying.chain.sign_cancel(Transfer.model_validate(fields))
    paying.chain.require_faithful(nothing, nonce, signed)
    paying.chain.broadcast(signed.raw)
    paying.local.mined_in(signed.tx_hash)
    receipt = paying.local.call("eth_getTransactionReceipt", signed.tx_hash)

    assert TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()["gas"] == 21_000
    assert int(receipt["gasUsed"], 16) == 21_000
    assert paying.chain.look(nothing, signed.tx_hash).succeeded
    for payout in (outgoing(), paying.outgoing):
        seen = paying.chain.look(payout, signed.tx_hash)
        assert (seen.is_mined, seen.succeeded) == (True, False)
        assert seen.moved_otherwise is not None
        with pytest.raises(BytesDiffer):
            paying.chain.require_faithful(payout, nonce, signed)


@pytest.mark.parametrize(
    "changes",
    [{"to": depositor().address}, {"amount_base_units": 1}, {"asset": account(9).address}, {"chain_id": 1}],
    ids=lambda it: next(iter(it)),
)
def test_cancelling_signs_nothing_that_moves_anything(changes: dict[str, object], chain: EvmChain) -> None:
    fields = {"chain_id": 31337, "wallet": wallet().address, "to": wallet().address, "amount_base_units": 0}
    transfer = Transfer.model_validate(fields | {"nonce": 0, "terms": COSTS} | changes)

    with pytest.raises(NeedsOperator, match="was not signed"):
        chain.sign_cancel(transfer)
