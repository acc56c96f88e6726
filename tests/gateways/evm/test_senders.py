"""Senders with code, then or now: a person judges, whoever answers for the past."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devstack.chain import depositor
from domain.errors import TryAgain
from domain.payments import ChainPayment, CodeKind
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain, chain_settings, reference
from tests.gateways.evm.unreliable import UnreliableEndpoint

STOPS = "0x00"
DELEGATION = "0xef0100" + 20 * "11"


@pytest.fixture
def sender_with_code(local: LocalChain) -> Iterator[str]:
    """An account that gets code for one test and loses it again."""
    sender = local.fresh_account(5)
    yield sender
    local.set_code(sender, "0x")


def test_sender_that_is_a_contract_now_is_for_a_person_to_judge(
    sender_with_code: str, chain: EvmChain, local: LocalChain
) -> None:
    tx_hash = local.pay(sender=sender_with_code)
    local.finalize()
    local.set_code(sender_with_code, STOPS)

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.review, payment.sender) == (("sender_is_contract",), sender_with_code)
    assert seen(payment) == (CodeKind.NONE, CodeKind.CONTRACT)


def test_sender_that_delegates_to_code_is_paid(sender_with_code: str, chain: EvmChain, local: LocalChain) -> None:
    tx_hash = local.pay(sender=sender_with_code)
    local.finalize()
    local.set_code(sender_with_code, DELEGATION)

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.review, payment.hold, payment.sender) == ((), (), sender_with_code)
    assert seen(payment) == (CodeKind.NONE, CodeKind.DELEGATION)


def seen(payment: ChainPayment) -> tuple[CodeKind | None, CodeKind | None]:
    """Return what stood at the sender then, and what stands there now."""
    assert payment.evidence is not None
    return payment.evidence.code_then, payment.evidence.code_now


def test_code_that_only_begins_like_a_delegation_is_a_contract(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain
) -> None:
    tx_hash = local.pay()
    local.finalize()
    unreliable.answers("eth_getCode", "0xef01001122")

    assert "sender_is_contract" in chain_behind.read_deposit(reference(tx_hash)).review


def test_code_that_stood_at_the_sender_then_is_read_from_the_block_of_the_deposit(
    sender_with_code: str, chain: EvmChain, local: LocalChain
) -> None:
    local.set_code(sender_with_code, DELEGATION)
    tx_hash = local.pay(sender=sender_with_code)
    local.mine()  # anvil changes code in the newest block, which must not be the deposit's
    local.set_code(sender_with_code, "0x")
    local.finalize()

    payment = chain.read_deposit(reference(tx_hash))

    assert (payment.review, payment.sender) == ((), sender_with_code)
    assert seen(payment) == (CodeKind.DELEGATION, CodeKind.NONE)


def test_node_that_forgot_the_old_state_judges_by_the_code_that_stands_there_now(
    chain_behind: EvmChain, unreliable: UnreliableEndpoint, local: LocalChain, sender_with_code: str
) -> None:
    plain, by_contract = local.pay(), local.pay(sender=sender_with_code)
    local.finalize()
    local.set_code(sender_with_code, STOPS)
    forget_history(unreliable, local)

    assert chain_behind.read_deposit(reference(plain)).review == ()
    judged = chain_behind.read_deposit(reference(by_contract))
    assert (judged.review, seen(judged)) == (("sender_is_contract",), (CodeKind.FORGOTTEN, CodeKind.CONTRACT))


class TestLists:
    """Whom the settings name: keepers of other people's money, and those whom nobody may pay."""

    def read(self, local: LocalChain, signer: KeystoreSigner, **changes: object) -> ChainPayment:
        tx_hash = local.pay()
        local.finalize()
        return EvmChain(chain_settings(local.anvil.url, **changes), signer).read_deposit(reference(tx_hash))

    def test_a_listed_keeper_is_for_a_person_to_judge(self, local: LocalChain, signer: KeystoreSigner) -> None:
        payment = self.read(local, signer, custodial=[depositor().address.lower()])

        assert (payment.review, payment.sender) == (("sender_is_custodial",), depositor().address)

    def test_a_sender_that_signed_thousands_is_taken_for_a_keeper(
        self, local: LocalChain, signer: KeystoreSigner
    ) -> None:
        signed = int(local.call("eth_getTransactionCount", depositor().address, "latest"), 16) + 1

        above = self.read(local, signer, custodial_nonce=signed - 1)
        not_above = self.read(local, signer, custodial_nonce=signed + 1)

        assert above.evidence is not None
        assert (above.review, above.evidence.sender_nonce) == (("sender_is_custodial",), signed)
        assert not_above.review == ()

    def test_a_sanctioned_sender_is_not_paid_whoever_approves(
        self, local: LocalChain, signer: KeystoreSigner, tmp_path: Path
    ) -> None:
        listed = tmp_path / "sanctioned.txt"
        listed.write_text("# none yet\n", encoding="utf-8")
        settings = {"sanctioned_file": listed}

        before = self.read(local, signer, **settings)
        listed.write_text(f"# of today\n{depositor().address.upper().replace('0X', '0x')} # him\n", encoding="utf-8")
        after = self.read(local, signer, **settings)

        assert (before.hold, before.sender) == ((), depositor().address)
        assert (after.hold, after.sender) == (("sender_is_sanctioned",), depositor().address)

    def test_while_the_list_cannot_be_read_nothing_is_decided(
        self, local: LocalChain, signer: KeystoreSigner, tmp_path: Path
    ) -> None:
        listed = tmp_path / "sanctioned.txt"
        listed.write_text("", encoding="utf-8")
        settings = chain_settings(local.anvil.url, sanctioned_file=listed)
        listed.unlink()
        tx_hash = local.pay()
        local.finalize()

        with pytest.raises(TryAgain, match=r"sanctioned addresses .*cannot be read"):
            EvmChain(settings, signer).read_deposit(reference(tx_hash))


def forget_history(unreliable: UnreliableEndpoint, local: LocalChain) -> None:
    """Answer as a node that is no archive: the newest state, and an error for every older one."""

    def fault(body: bytes) -> tuple[int, bytes]:
        if b'"latest"' in body or b'"finalized"' in body:
            return 200, unreliable.forward(body)
        return 200, b'{"jsonrpc":"2.0","id":0,"error":{"code":-32000,"message":"missing trie node 0xabc (path )"}}'

    unreliable.faults["eth_getCode"] = unreliable.faults["eth_getTransactionCount"] = fault
