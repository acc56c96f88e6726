"""Who sent a deposit of a token, on a real node: from its one log, whoever signed the chain transaction."""

import pytest

from devstack.chain import deposit_address
from devstack.contracts.contract import Contract, deploy
from domain.payments import CodeKind, Settlement, TraceKind
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain
from tests.gateways.evm.shop import AMOUNT, OWNER, Shop
from tests.gateways.evm.unreliable import UnreliableEndpoint

DELEGATION = "0xef0100" + 20 * "11"


@pytest.fixture
def disperse(local: LocalChain) -> Contract:
    return deploy(local.call, "Disperse", sender=OWNER)


@pytest.mark.parametrize("name", ["UsdcLike", "UsdtLike", "FalseReturning"])
def test_plain_transfer_of_a_token_names_its_sender_and_its_evidence(
    name: str, local: LocalChain, signer: KeystoreSigner
) -> None:
    shop = Shop(local, signer, name)
    tx_hash = shop.pay()

    payment = shop.read(tx_hash)

    receipt = local.call("eth_getTransactionReceipt", tx_hash)
    assert (payment.settlement, payment.sender, payment.amount_base_units) == (Settlement.FINAL, OWNER, AMOUNT)
    assert (payment.review, payment.hold, payment.refuse) == ((), (), ())
    assert payment.evidence is not None
    assert (payment.block_number, payment.evidence.block_hash) == (
        int(receipt["blockNumber"], 16),
        receipt["blockHash"],
    )
    assert payment.evidence.log_index == shop.log_index(tx_hash)
    assert (payment.evidence.candidates, payment.evidence.signer) == (1, OWNER)
    assert (payment.evidence.code_then, payment.evidence.code_now) == (CodeKind.NONE, CodeKind.NONE)
    assert (payment.evidence.received_base_units, payment.evidence.sent_base_units) == (AMOUNT, AMOUNT)


def test_address_of_a_token_in_lower_case_is_the_same_token(usdc: Shop) -> None:
    tx_hash = usdc.pay()

    assert usdc.read(tx_hash, asset=usdc.token.address.lower()).sender == OWNER


def test_tokens_that_a_third_party_pulled_go_back_to_their_owner(usdc: Shop, local: LocalChain) -> None:
    relayer = local.fresh_account(4)
    usdc.token.send("approve", relayer, AMOUNT, sender=OWNER)
    tx_hash = usdc.token.send("transferFrom", OWNER, deposit_address(), AMOUNT, sender=relayer)

    payment = usdc.read(tx_hash)

    assert payment.evidence is not None
    assert (payment.sender, payment.evidence.signer) == (OWNER, relayer)
    assert (payment.review, payment.hold, payment.refuse) == ((), (), ())


def pulled_from_one_who_never_signed(shop: Shop, local: LocalChain) -> str:
    """Let a third party move the tokens of an account that signed nothing ever, as a permit allows."""
    owner, relayer = "0x" + 40 * "7", local.fresh_account(4)
    shop.token.send("mint", owner, AMOUNT, sender=OWNER)
    local.call("anvil_impersonateAccount", owner)
    local.call("anvil_setBalance", owner, hex(10**18))
    shop.token.send("approve", relayer, AMOUNT, sender=owner)
    local.mine()  # a block that anvil is still at would put the nonce back
    while int(local.call("eth_getTransactionCount", owner, "latest"), 16) != 0:
        local.call("anvil_setNonce", owner, "0x0")
    local.call("anvil_stopImpersonatingAccount", owner)
    return shop.token.send("transferFrom", owner, deposit_address(), AMOUNT, sender=relayer)


def test_owner_who_never_signed_is_paid_once_a_trace_shows_no_contract(usdc: Shop, local: LocalChain) -> None:
    payment = usdc.read(pulled_from_one_who_never_signed(usdc, local))

    assert payment.evidence is not None
    assert (payment.sender, payment.review) == ("0x" + 40 * "7", ())
    assert (payment.evidence.trace, payment.evidence.sender_nonce) == (TraceKind.AVAILABLE, 0)


def test_owner_who_never_signed_is_for_a_person_to_judge_where_no_node_traces(
    usdc: Shop, local: LocalChain, unreliable: UnreliableEndpoint
) -> None:
    unreliable.refuses("debug_traceTransaction", "the method does not exist/is not available")
    unreliable.refuses("trace_transaction", "the method does not exist/is not available")
    usdc.settings = usdc.settings.model_copy(update={"rpc_urls": (unreliable.url,)})

    payment = usdc.read(pulled_from_one_who_never_signed(usdc, local))

    assert (payment.review, payment.sender) == (("sender_never_signed",), "0x" + 40 * "7")


def test_contract_that_was_made_and_removed_around_its_payment_is_a_contract(
    usdc: Shop, local: LocalChain, unreliable: UnreliableEndpoint
) -> None:
    tx_hash = pulled_from_one_who_never_signed(usdc, local)
    made = {"type": "CREATE2", "from": OWNER, "to": "0x" + 40 * "7", "value": "0x0"}
    root = {"type": "CALL", "from": OWNER, "to": usdc.token.address.lower(), "value": "0x0", "calls": [made]}
    unreliable.answers("debug_traceTransaction", root)
    usdc.settings = usdc.settings.model_copy(update={"rpc_urls": (unreliable.url,)})

    assert usdc.read(tx_hash).review == ("sender_is_contract",)


def test_contract_wallet_that_sent_tokens_is_for_a_person_to_judge(usdc: Shop, local: LocalChain) -> None:
    safe = deploy(local.call, "ContractWallet", sender=OWNER)
    usdc.token.send("transfer", safe.address, AMOUNT, sender=OWNER)
    paying = bytes.fromhex(usdc.token.data("transfer", deposit_address(), AMOUNT)[2:])
    tx_hash = safe.send("execute", usdc.token.address, 0, paying, sender=OWNER)

    payment = usdc.read(tx_hash)

    assert payment.evidence is not None
    assert (payment.sender, payment.review, payment.hold) == (safe.address, ("sender_is_contract",), ())
    assert (payment.evidence.code_then, payment.evidence.code_now) == (CodeKind.CONTRACT, CodeKind.CONTRACT)


def test_contract_that_passed_tokens_on_is_not_paid_whoever_approves(usdc: Shop, local: LocalChain) -> None:
    router = deploy(local.call, "ContractWallet", sender=OWNER)
    usdc.token.send("approve", router.address, AMOUNT, sender=OWNER)
    calls = [
        (usdc.token.data("transferFrom", OWNER, router.address, AMOUNT)),
        (usdc.token.data("transfer", deposit_address(), AMOUNT)),
    ]
    tx_hash = router.send(
        "execute_all",
        [usdc.token.address, usdc.token.address],
        [0, 0],
        [bytes.fromhex(call[2:]) for call in calls],
        sender=OWNER,
    )

    payment = usdc.read(tx_hash)

    assert (payment.review, payment.hold) == (("sender_is_contract",), ("sender_passed_on",))


def test_sender_that_delegates_to_code_is_paid(usdc: Shop, local: LocalChain) -> None:
    tx_hash = usdc.pay()
    local.finalize()
    local.set_code(OWNER, DELEGATION)

    payment = usdc.read(tx_hash)
    local.set_code(OWNER, "0x")

    assert payment.evidence is not None
    assert (payment.sender, payment.review, payment.hold) == (OWNER, (), ())
    assert (payment.evidence.code_then, payment.evidence.code_now) == (CodeKind.NONE, CodeKind.DELEGATION)


class TestSeveralLogs:
    """One chain transaction that pays us more than once: the log's index says which payment is meant."""

    @pytest.fixture
    def twice(self, usdc: Shop, disperse: Contract) -> str:
        usdc.token.send("approve", disperse.address, 4 * AMOUNT, sender=OWNER)
        receivers, amounts = [deposit_address(), deposit_address()], [AMOUNT, 2 * AMOUNT]
        return disperse.send("disperse_token", usdc.token.address, receivers, amounts, sender=OWNER)

    def test_without_an_index_nobody_is_the_sender(self, usdc: Shop, twice: str) -> None:
        payment = usdc.read(twice)

        assert payment.evidence is not None
        assert (payment.review, payment.sender, payment.amount_base_units) == (("several_payments",), None, None)
        assert (payment.evidence.candidates, payment.evidence.log_index) == (2, None)

    def test_the_index_names_one_of_them_for_a_person_to_judge(self, usdc: Shop, twice: str) -> None:
        index = usdc.log_index(twice)

        payment = usdc.read(twice, log_index=index)

        assert payment.evidence is not None
        assert (payment.review, payment.sender) == (("several_payments",), OWNER)
        assert (payment.amount_base_units, payment.evidence.log_index) == (2 * AMOUNT, index)

    def test_an_index_of_another_log_leaves_a_doubt(self, usdc: Shop, twice: str) -> None:
        payment = usdc.read(twice, log_index=99)

        assert (payment.review, payment.sender) == (("log_differs", "several_payments"), None)

    def test_an_index_that_differs_from_the_only_log_leaves_a_doubt(self, usdc: Shop) -> None:
        tx_hash = usdc.pay()

        payment = usdc.read(tx_hash, log_index=99)

        assert payment.evidence is not None
        assert (payment.review, payment.sender) == (("log_differs",), OWNER)
        assert payment.evidence.log_index == usdc.log_index(tx_hash)

    def test_a_payroll_that_pays_us_once_names_whose_tokens_they_were(
        self, usdc: Shop, disperse: Contract, local: LocalChain
    ) -> None:
        usdc.token.send("approve", disperse.address, 4 * AMOUNT, sender=OWNER)
        receivers = [local.fresh_account(3), deposit_address()]
        tx_hash = disperse.send("disperse_token", usdc.token.address, receivers, [AMOUNT, AMOUNT], sender=OWNER)

        payment = usdc.read(tx_hash)

        assert (payment.sender, payment.review) == (OWNER, ())


def test_deposit_that_was_swept_on_since_is_refunded_all_the_same(usdc: Shop, local: LocalChain) -> None:
    tx_hash = usdc.pay()
    usdc.token.send("transfer", local.fresh_account(3), AMOUNT, sender=deposit_address())

    payment = usdc.read(tx_hash)

    assert usdc.token.ask("balanceOf", deposit_address()) == 0
    assert (payment.sender, payment.review, payment.hold) == (OWNER, (), ())
