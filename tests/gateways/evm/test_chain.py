"""The gateway to a chain as a whole: made without connecting, checked at the start, its wallet read."""

import socket

import pytest

from devstack.chain import (
    Anvil,
    anvil_command,
    free_port,
    wallet,
)
from domain.errors import NeedsOperator
from domain.transfers import SignedTransfer
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from gateways.evm.transactions import Unsigned
from tests.gateways.evm.local_chain import FINALITY_BLOCKS, LocalChain, chain_settings
from tests.gateways.evm.payouts import (
    DELEGATION,
)


def test_constructor_stores_and_does_not_connect() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        listener.setblocking(False)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

        EvmChain(chain_settings(url), _NeverSigns())

        with pytest.raises(BlockingIOError):
            listener.accept()


def test_check_passes_where_endpoint_and_wallet_fit(chain: EvmChain) -> None:
    chain.check()


def test_check_tells_an_operator_of_an_endpoint_of_another_chain(signer: KeystoreSigner) -> None:
    port = free_port()
    with (
        Anvil(anvil_command(port, None, chain_id=4242), port) as other,
        pytest.raises(NeedsOperator, match="serves chain 4242 instead of 31337") as caught,
    ):
        EvmChain(chain_settings(other.url), signer).check()

    assert caught.value.reason == "facts_unavailable"


def test_check_tells_an_operator_of_a_wallet_with_code(chain: EvmChain, local: LocalChain) -> None:
    local.set_code(wallet().address, DELEGATION)
    try:
        with pytest.raises(NeedsOperator, match="has code") as caught:
            chain.check()
    finally:
        local.set_code(wallet().address, "0x")

    assert caught.value.reason == "rail_stopped"


def test_view_counts_what_is_final_and_what_waits(chain: EvmChain, local: LocalChain) -> None:
    local.finalize()
    before = chain.view()
    tx_hash = local.pay(sender=wallet().address, to=local.fresh_account(7))
    mined = local.mined_in(tx_hash)
    local.mine_until(mined + FINALITY_BLOCKS - 1)
    early = chain.view()
    local.mine()
    late = chain.view()

    assert (early.nonce_pending, early.nonce_finalized) == (before.nonce_pending + 1, before.nonce_finalized)
    assert late.nonce_finalized == late.nonce_pending == before.nonce_pending + 1
    assert late.balance_base_units == local.balance(wallet().address) < before.balance_base_units


def test_view_counts_nothing_as_final_while_the_chain_is_shorter_than_finality(
    local: LocalChain, signer: KeystoreSigner
) -> None:
    chain = EvmChain(chain_settings(local.anvil.url, finality="depth:99999"), signer)

    assert chain.view().nonce_finalized == 0


class _NeverSigns:
    def sign(self, unsigned: Unsigned) -> SignedTransfer:
        raise AssertionError("nothing was to be signed")
