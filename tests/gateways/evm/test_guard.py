"""What is never signed, and which signed bytes are never let out."""

from collections.abc import Callable

import pytest
import rlp  # type: ignore[import-untyped]  # it brings no types
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from devstack.chain import (
    account,
    deposit_address,
    depositor,
    wallet,
)
from domain.errors import BytesDiffer, NeedsOperator
from domain.transfers import SignedTransfer, Transfer, TransferTerms
from gateways.evm.chain import EvmChain
from gateways.evm.transactions import Unsigned, read_signed
from tests.gateways.evm.local_chain import DEPOSIT_WEI, LocalChain, chain_settings
from tests.gateways.evm.payouts import signed_as_legacy, signed_otherwise, transfer


def test_signed_bytes_are_type_two_by_the_wallet_under_their_own_hash(chain: EvmChain) -> None:
    wanted = transfer(chain)

    signed = chain.sign(wanted)

    assert signed.raw[0] == 2
    assert HexBytes(keccak(signed.raw)).to_0x_hex() == signed.tx_hash
    assert Account.recover_transaction(signed.raw) == wallet().address
    fields = TypedTransaction.from_bytes(HexBytes(signed.raw)).as_dict()
    assert (fields["chainId"], fields["nonce"], fields["value"]) == (31337, wanted.nonce, DEPOSIT_WEI)


def test_signing_twice_makes_the_same_bytes(chain: EvmChain) -> None:
    wanted = transfer(chain)

    assert chain.sign(wanted) == chain.sign(wanted)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        pytest.param({"chain_id": 1}, "for chain 1", id="another chain"),
        pytest.param({"wallet": depositor().address}, "configured wallet", id="another wallet"),
        pytest.param({"to": wallet().address}, "our own", id="to the wallet itself"),
        pytest.param({"to": deposit_address()}, "our own", id="to a deposit address"),
        pytest.param({"to": "0x" + 40 * "0"}, "nobody", id="to the zero address"),
        pytest.param({"to": depositor().address.lower()}, "EIP-55", id="to an unchecked spelling"),
        pytest.param({"amount_base_units": 0}, "moves nothing", id="no amount"),
        pytest.param({"gas": 100_001}, "gas is above the cap", id="gas above the cap"),
        pytest.param({"max_fee_per_gas_wei": 500 * 10**9 + 1}, "fee is above", id="fee above the cap"),
        pytest.param({"max_priority_fee_per_gas_wei": 10**12}, "tip is above", id="tip above the fee"),
    ],
)
def test_signing_refuses_what_the_settings_do_not_allow(
    changes: dict[str, object], why: str, chain: EvmChain
) -> None:
    costs = {"gas": 21_000, "max_fee_per_gas_wei": 10**9, "max_priority_fee_per_gas_wei": 1}
    costs |= {name: value for name, value in changes.items() if name in costs}
    fields = {name: value for name, value in changes.items() if name not in costs}
    wanted = transfer(chain, terms=TransferTerms.model_validate(costs), **fields)

    with pytest.raises(NeedsOperator, match=why) as caught:
        chain.sign(wanted)

    assert caught.value.reason == "payout_refused"


def test_signed_bytes_are_read_as_the_library_that_wrote_them_reads_them(chain: EvmChain) -> None:
    wanted = transfer(chain)
    for nonce in (0, 127, 128, 2**32):
        raw = signed_otherwise(wanted, nonce=nonce, key=account(nonce % 5).key).raw

        found = read_signed(raw)

        library = dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
        assert found is not None
        assert found.sender == Account.recover_transaction(raw) == account(nonce % 5).address
        assert (found.nonce, found.chain_id, found.value, found.gas) == (
            nonce,
            library["chainId"],
            library["value"],
            library["gas"],
        )
        assert (found.max_fee_per_gas_wei, found.max_priority_fee_per_gas_wei) == (
            library["maxFeePerGas"],
            library["maxPriorityFeePerGas"],
        )


def _with_field(raw: bytes, number: int, value: object) -> bytes:
    fields = rlp.decode(raw[1:], strict=True)
    return raw[:1] + rlp.encode([value if it == number else field for it, field in enumerate(fields)])


@pytest.mark.parametrize(
    ("number", "value"),
    [
        pytest.param(4, b"\0\x52\x08", id="a gas with a leading zero"),
        pytest.param(8, [[b"\1" * 20, []]], id="an access list"),
        pytest.param(8, b"", id="an access list that is none"),
        pytest.param(1, [], id="a nonce that is a list"),
        pytest.param(5, [b"\1" * 20], id="a receiver that is a list"),
        pytest.param(9, b"\x1b", id="a parity that is none"),
        pytest.param(10, b"", id="no r"),
        pytest.param(11, b"\xff" * 33, id="an s that is too long"),
        pytest.param(5, b"\1" * 19, id="a receiver that is too short"),
    ],
)
def test_bytes_that_no_node_would_read_are_no_chain_transaction(number: int, value: object, chain: EvmChain) -> None:
    raw = chain.sign(transfer(chain)).raw

    assert read_signed(raw) is not None
    assert read_signed(_with_field(raw, number, value)) is None
    assert read_signed(raw + b"\0") is None


@pytest.mark.parametrize(
    ("tamper", "why"),
    [
        pytest.param(lambda t, _: signed_otherwise(t, to=account(8).address), "their to is not", id="receiver"),
        pytest.param(lambda t, _: signed_otherwise(t, value=1), "their value is not", id="amount"),
        pytest.param(lambda t, _: signed_otherwise(t, nonce=t.nonce + 1), "their nonce is not", id="nonce"),
        pytest.param(lambda t, _: signed_otherwise(t, data=b"x"), "their data is not", id="data"),
        pytest.param(lambda t, _: signed_otherwise(t, chainId=1), "their chain_id is not", id="chain"),
        pytest.param(lambda t, _: signed_otherwise(t, key=account(8).key), "their sender is not", id="key"),
        pytest.param(lambda _, s: s.model_copy(update={"tx_hash": "0x"}), "hash", id="hash"),
        pytest.param(lambda t, _: signed_as_legacy(t), "of a type that binds", id="a legacy type without chain id"),
        pytest.param(lambda _, s: s.model_copy(update={"raw": b""}), "of a type that binds", id="no bytes"),
    ],
)
def test_signing_refuses_bytes_that_are_not_what_was_asked(
    tamper: Callable[[Transfer, SignedTransfer], SignedTransfer],
    why: str,
    chain: EvmChain,
    local: LocalChain,
) -> None:
    wanted = transfer(chain)
    tampered = tamper(wanted, chain.sign(wanted))

    with pytest.raises(BytesDiffer, match=why):
        EvmChain(chain_settings(local.anvil.url), _AlwaysAnswers(tampered)).sign(wanted)


class _AlwaysAnswers:
    def __init__(self, signed: SignedTransfer) -> None:
        self._signed = signed

    def sign(self, unsigned: Unsigned) -> SignedTransfer:
        return self._signed
