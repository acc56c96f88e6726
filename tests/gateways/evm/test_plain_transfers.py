"""What counts as a plain transfer to us, what may have been one, and what is refused."""

from collections.abc import Iterator

import pytest

from devstack.chain import deposit_address, depositor, wallet
from domain.payments import Settlement
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, reference
from tests.gateways.evm.unreliable import UnreliableEndpoint

STRANGER = "0x000000000000000000000000000000000000dEaD"
STOPS = "0x00"
TRANSFER_TOPIC = "ddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"


def test_chain_transaction_with_data_is_no_plain_transfer_and_still_names_its_sender(
    chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(data="0x6d656d6f")
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert payment.review == ("not_a_plain_transfer",)
    assert payment.sender == depositor().address
    assert payment.amount_base_units == DEPOSIT_WEI


@pytest.fixture
def deposit_contract(local: LocalChain) -> Iterator[str]:
    """A deposit address with code that also reports a token transfer to us."""
    padded = deposit_address()[2:].lower().rjust(64, "0")
    code = "0x6001600052" + "7f" + padded + "7f" + padded + "7f" + TRANSFER_TOPIC + "60206000a300"
    local.set_code(deposit_address(), code)
    yield deposit_address()
    local.set_code(deposit_address(), "0x")


def test_transfer_to_a_deposit_address_with_code_is_for_a_person_to_judge(
    deposit_contract: str, chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(gas=hex(90_000))
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert payment.review == ("not_a_plain_transfer",)
    assert payment.sender == depositor().address


def test_code_at_a_deposit_address_is_a_doubt_even_where_it_does_nothing(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay()
    local.finalize()
    local.set_code(deposit_address(), STOPS)

    payment = chain.read_deposit(reference(tx_hash))
    local.set_code(deposit_address(), "0x")

    assert payment.review == ("not_a_plain_transfer",)


def test_call_to_a_deposit_address_with_code_names_no_sender(
    deposit_contract: str, chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(gas=hex(90_000), data="0x12345678")
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.review, payment.sender) == (("not_a_plain_transfer",), None)


def test_token_transfer_to_us_in_the_same_chain_transaction_makes_several_candidates(
    deposit_contract: str, chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay(gas=hex(90_000))
    local.finalize()
    unreliable.answers("eth_getCode", "0x")

    payment = chain_behind.read_deposit(reference(tx_hash))

    assert payment.review == ("not_a_plain_transfer",)


def test_plain_transfer_to_somebody_with_code_now_leaves_a_doubt(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay(to=STRANGER)
    local.finalize()
    local.set_code(STRANGER, STOPS)

    payment = chain.read_deposit(reference(tx_hash))
    local.set_code(STRANGER, "0x")

    assert (payment.refuse, payment.review) == ((), ("not_a_plain_transfer",))


def test_plain_transfer_to_somebody_without_code_is_certainly_not_ours(chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay(to=STRANGER)
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.refuse, payment.review, payment.sender) == (("wrong_recipient",), (), None)


@pytest.mark.parametrize(
    ("to", "more"),
    [
        pytest.param(STRANGER, {"data": "0x00"}, id="data"),
        pytest.param(wallet().address, {}, id="our own wallet"),
    ],
)
def test_transfer_elsewhere_that_leaves_a_doubt_is_for_a_person_to_judge(
    to: str, more: dict[str, str], chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(to=to, **more)
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.refuse, payment.review, payment.sender) == ((), ("not_a_plain_transfer",), None)


@pytest.mark.parametrize(
    "sender",
    [pytest.param(deposit_address(), id="a deposit address"), pytest.param(wallet().address, id="the wallet")],
)
def test_payment_from_our_own_address_is_refused(sender: str, chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay(sender=sender)
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.refuse, payment.sender) == (("sender_is_ours",), None)


@pytest.mark.parametrize(
    ("value", "refuse"),
    [
        pytest.param(0, ("below_minimum",), id="nothing"),
        pytest.param(999, ("below_minimum",), id="one less than the minimum"),
        pytest.param(1000, (), id="the minimum"),
    ],
)
def test_amount_below_the_minimum_is_refused(
    value: int, refuse: tuple[str, ...], chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(value=value)
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash, amount_base_units=value))

    assert payment.refuse == refuse
    assert payment.amount_base_units == value


@pytest.mark.parametrize(
    ("changes", "review"),
    [
        pytest.param({"log_index": 3}, "not_a_plain_transfer", id="the native coin under a log"),
    ],
)
def test_payment_that_is_not_the_native_coin_by_itself_names_no_sender(
    changes: dict[str, object], review: str, chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash, **changes))

    assert (payment.settlement, payment.review, payment.sender) == (Settlement.FINAL, (review,), None)


def test_sender_that_a_layer_two_names_by_rule_is_not_believed(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    raw = local.call("eth_getTransactionByHash", tx_hash)
    unreliable.answers("eth_getTransactionByHash", raw | {"type": "0x7e"})

    payment = chain_behind.read_deposit(reference(tx_hash))

    assert (payment.review, payment.sender) == (("not_a_plain_transfer",), None)
