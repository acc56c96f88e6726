"""Native coin that code paid us: a trace shows whose code it was, and nobody is taken for the sender by it."""

from collections.abc import Callable

import pytest

from devstack.chain import deposit_address, depositor
from devstack.contracts.contract import Contract, deploy
from domain.errors import TryAgain
from domain.payments import ChainPayment, CodeKind, Settlement, TraceKind
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, reference
from tests.gateways.evm.unreliable import UnreliableEndpoint

OWNER = depositor().address
NOT_THERE = "the method does not exist/is not available"


@pytest.fixture
def safe(local: LocalChain) -> Contract:
    return deploy(local.call, "ContractWallet", sender=OWNER, wei=10 * DEPOSIT_WEI)


@pytest.fixture
def disperse(local: LocalChain) -> Contract:
    return deploy(local.call, "Disperse", sender=OWNER)


def read(chain: EvmChain, local: LocalChain, tx_hash: str) -> ChainPayment:
    local.finalize()
    return chain.read_deposit(reference(tx_hash))


def without_traces(unreliable: UnreliableEndpoint) -> None:
    unreliable.refuses("debug_traceTransaction", NOT_THERE)
    unreliable.refuses("trace_transaction", NOT_THERE)


def with_parity_traces(unreliable: UnreliableEndpoint) -> None:
    unreliable.refuses("debug_traceTransaction", NOT_THERE)


def with_all_traces(_: UnreliableEndpoint) -> None:
    return


TRACERS = [pytest.param(with_all_traces, id="callTracer"), pytest.param(with_parity_traces, id="trace_transaction")]


@pytest.mark.parametrize("traces", TRACERS)
def test_contract_that_paid_us_is_shown_and_is_not_the_sender(
    traces: Callable[[UnreliableEndpoint], None],
    safe: Contract,
    chain_behind: EvmChain,
    unreliable: UnreliableEndpoint,
    local: LocalChain,
) -> None:
    traces(unreliable)
    tx_hash = safe.send("execute", deposit_address(), DEPOSIT_WEI, b"", sender=OWNER)

    payment = read(chain_behind, local, tx_hash)

    assert payment.evidence is not None
    assert (payment.settlement, payment.review, payment.sender) == (
        Settlement.FINAL,
        ("paid_by_contract", "sender_is_contract"),
        None,
    )
    assert (payment.amount_base_units, payment.evidence.paid_by) == (DEPOSIT_WEI, safe.address)
    assert (payment.evidence.trace, payment.evidence.code_now) == (TraceKind.AVAILABLE, CodeKind.CONTRACT)
    assert payment.evidence.signer == OWNER


def test_node_without_traces_shows_by_balances_that_money_came_and_never_says_no_deposit(
    safe: Contract, chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    without_traces(unreliable)
    local.call("evm_setAutomine", False)
    try:
        beside = local.send(value=7000)
        call = {"from": OWNER, "to": safe.address, "gas": hex(200_000)}
        call["data"] = safe.data("execute", deposit_address(), DEPOSIT_WEI, b"")
        tx_hash = local.call("eth_sendTransaction", call)
    finally:
        local.call("evm_setAutomine", True)
    local.mine()
    assert local.mined_in(beside) == local.mined_in(tx_hash)  # a plain transfer in the same block is taken off

    payment = read(chain_behind, local, tx_hash)

    assert payment.evidence is not None
    assert (payment.review, payment.refuse, payment.sender) == (("not_traceable",), (), None)
    assert payment.evidence.trace == TraceKind.UNAVAILABLE
    assert payment.evidence.balance_change_base_units == DEPOSIT_WEI


@pytest.mark.parametrize("traces", TRACERS)
def test_payment_inside_that_was_undone_is_no_candidate(
    traces: Callable[[UnreliableEndpoint], None],
    safe: Contract,
    chain_behind: EvmChain,
    unreliable: UnreliableEndpoint,
    local: LocalChain,
) -> None:
    traces(unreliable)
    tx_hash = safe.send("execute_and_undo", deposit_address(), DEPOSIT_WEI, sender=OWNER)

    payment = read(chain_behind, local, tx_hash)

    assert payment.evidence is not None
    assert local.call("eth_getTransactionReceipt", tx_hash)["status"] == "0x1"
    assert (payment.review, payment.evidence.candidates) == (("not_a_plain_transfer",), 0)
    assert (payment.refuse, payment.amount_base_units) == ((), None)


@pytest.mark.parametrize("traces", TRACERS)
def test_payroll_that_pays_us_twice_names_nobody(
    traces: Callable[[UnreliableEndpoint], None],
    disperse: Contract,
    chain_behind: EvmChain,
    unreliable: UnreliableEndpoint,
    local: LocalChain,
) -> None:
    traces(unreliable)
    receivers, amounts = [deposit_address(), deposit_address()], [DEPOSIT_WEI, 2 * DEPOSIT_WEI]
    tx_hash = disperse.send("disperse", receivers, amounts, sender=OWNER, wei=3 * DEPOSIT_WEI)

    payment = read(chain_behind, local, tx_hash)

    assert payment.evidence is not None
    assert (payment.review, payment.sender, payment.evidence.candidates) == (("several_payments",), None, 2)


def test_payroll_that_pays_us_once_is_not_the_payer(disperse: Contract, chain: EvmChain, local: LocalChain) -> None:
    receivers, amounts = [local.fresh_account(3), deposit_address()], [DEPOSIT_WEI, DEPOSIT_WEI]
    tx_hash = disperse.send("disperse", receivers, amounts, sender=OWNER, wei=2 * DEPOSIT_WEI)

    payment = read(chain, local, tx_hash)

    assert payment.evidence is not None
    assert (payment.sender, payment.evidence.paid_by) == (None, disperse.address)
    assert "paid_by_contract" in payment.review


def test_account_that_paid_by_code_of_its_choice_is_its_own_sender(chain: EvmChain, local: LocalChain) -> None:
    owner = local.fresh_account(7)
    batch = deploy(local.call, "RejectingReceiver", sender=OWNER)
    local.set_code(owner, "0xef0100" + batch.address[2:].lower())
    tx_hash = local.pay(
        sender=owner,
        to=owner,
        value=0,
        gas=hex(200_000),
        data=batch.data("execute", deposit_address(), DEPOSIT_WEI, b""),
    )

    payment = read(chain, local, tx_hash)
    local.set_code(owner, "0x")

    assert payment.evidence is not None
    assert (payment.sender, payment.review) == (owner, ("paid_by_contract",))
    assert payment.evidence.code_then == CodeKind.DELEGATION


def test_code_that_is_gone_now_is_still_seen_to_have_paid(chain: EvmChain, local: LocalChain, safe: Contract) -> None:
    tx_hash = safe.send("execute", deposit_address(), DEPOSIT_WEI, b"", sender=OWNER)
    local.finalize()
    local.set_code(safe.address, "0x")

    payment = read(chain, local, tx_hash)

    assert (payment.refuse, payment.sender) == ((), None)
    assert "paid_by_contract" in payment.review


def test_trace_that_makes_no_sense_decides_nothing(
    safe: Contract, chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = safe.send("execute", deposit_address(), DEPOSIT_WEI, b"", sender=OWNER)
    unreliable.answers("debug_traceTransaction", {"type": "CALL", "from": "somebody", "to": None, "value": "0x1"})

    with pytest.raises(TryAgain, match="makes no sense"):
        read(chain_behind, local, tx_hash)
