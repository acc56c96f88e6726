"""Chain transactions of ours as their fields: what a payout must say, and what signed bytes do say."""

from dataclasses import dataclass
from typing import Any

import rlp  # type: ignore[import-untyped]  # it brings no types
from eth_account import Account
from eth_keys.datatypes import Signature
from eth_keys.exceptions import BadSignature
from eth_utils.crypto import keccak
from eth_utils.exceptions import ValidationError

from domain.money import NATIVE
from domain.transfers import Outgoing, TransferTerms
from gateways.evm import erc20
from gateways.evm.settings import checksummed

LEGACY_TYPE = 0  # with EIP-155: only then does its signature cover the chain id
DYNAMIC_FEE_TYPE = 2  # EIP-1559: its signature always covers the chain id, so the bytes are worth nothing elsewhere
TYPES = {"dynamic_fee": DYNAMIC_FEE_TYPE, "legacy": LEGACY_TYPE}


@dataclass(frozen=True)
class Unsigned:
    """One chain transaction without its signature. A legacy one has one price, which stands in both fee fields."""

    sender: str
    type: int
    chain_id: int
    nonce: int
    to: str
    value: int
    data: bytes
    gas: int
    max_fee_per_gas_wei: int
    max_priority_fee_per_gas_wei: int

    @property
    def fields(self) -> dict[str, Any]:
        """Return the fields as the signing library wants them."""
        fields: dict[str, Any] = {
            "chainId": self.chain_id,
            "nonce": self.nonce,
            "to": bytes.fromhex(self.to.removeprefix("0x")),
            "value": self.value,
            "data": self.data,
            "gas": self.gas,
        }
        if self.type == LEGACY_TYPE:
            return fields | {"gasPrice": self.max_fee_per_gas_wei}
        return fields | {
            "type": self.type,
            "maxFeePerGas": self.max_fee_per_gas_wei,
            "maxPriorityFeePerGas": self.max_priority_fee_per_gas_wei,
        }


def unsigned(outgoing: Outgoing, nonce: int, terms: TransferTerms, transaction_type: int) -> Unsigned:
    """Write down what moves this money and nothing else: the coin itself, or a call to the token without any coin."""
    is_native = outgoing.asset == NATIVE
    return Unsigned(
        sender=outgoing.wallet,
        type=transaction_type,
        chain_id=outgoing.chain_id,
        nonce=nonce,
        to=outgoing.to if is_native else outgoing.asset,
        value=outgoing.amount_base_units if is_native else 0,
        data=b"" if is_native else erc20.transfer_data(outgoing.to, outgoing.amount_base_units),
        gas=terms.gas,
        max_fee_per_gas_wei=terms.max_fee_per_gas_wei,
        max_priority_fee_per_gas_wei=terms.max_priority_fee_per_gas_wei,
    )


def is_cancel(outgoing: Outgoing) -> bool:
    """Tell whether this only closes a nonce: nothing at all, to the wallet itself."""
    return outgoing.asset == NATIVE and outgoing.to == outgoing.wallet and outgoing.amount_base_units == 0


def read_signed(raw: bytes) -> Unsigned | None:
    """Read signed bytes back, `sender` from the signature; None where they are of no type that we sign.

    Bytes whose signature covers no chain id are none either: they could be cashed on every chain.
    """
    try:
        fields = _typed(raw) if raw[:1] == bytes([DYNAMIC_FEE_TYPE]) else _legacy(raw)
        return Unsigned(**fields)
    except (ValueError, TypeError, KeyError, IndexError, rlp.exceptions.RLPException, BadSignature, ValidationError):
        return None


def _typed(raw: bytes) -> dict[str, Any]:
    """Read the fields of EIP-1559, which end in the signature; the library that wrote them is not asked."""
    signed = rlp.decode(raw[1:], strict=True)
    chain_id, nonce, tip, fee, gas, to, value, data, access_list, y_parity, r, s = signed
    if access_list != []:
        raise ValueError("an access list is none of ours")
    numbers = (chain_id, nonce, tip, fee, gas, value, y_parity, r, s)
    if not all(isinstance(it, bytes) for it in (*numbers, to, data)):
        raise ValueError("no node reads a list as one of these")
    if any(it[:1] == b"\0" for it in numbers):
        raise ValueError("no node reads a number with leading zeros")
    digest = keccak(raw[:1] + rlp.encode(signed[:9]))
    signature = Signature(vrs=(int.from_bytes(y_parity), int.from_bytes(r), int.from_bytes(s)))
    return {
        "sender": signature.recover_public_key_from_msg_hash(digest).to_checksum_address(),
        "type": DYNAMIC_FEE_TYPE,
        "chain_id": int.from_bytes(chain_id),
        "nonce": int.from_bytes(nonce),
        "to": checksummed("0x" + to.hex()),
        "value": int.from_bytes(value),
        "data": bytes(data),
        "gas": int.from_bytes(gas),
        "max_fee_per_gas_wei": int.from_bytes(fee),
        "max_priority_fee_per_gas_wei": int.from_bytes(tip),
    }


def _legacy(raw: bytes) -> dict[str, Any]:
    """Read nonce, price, gas, receiver, value, data, v, r and s; `v` holds the chain id from 35 on (EIP-155)."""
    nonce, price, gas, to, value, data, v, _, _ = rlp.decode(raw, strict=True)
    chain_id = (int.from_bytes(v) - 35) // 2
    if chain_id < 1:
        raise ValueError("its signature covers no chain id")
    return {
        "sender": Account.recover_transaction(raw),
        "type": LEGACY_TYPE,
        "chain_id": chain_id,
        "nonce": int.from_bytes(nonce),
        "to": checksummed("0x" + to.hex()),
        "value": int.from_bytes(value),
        "data": bytes(data),
        "gas": int.from_bytes(gas),
        "max_fee_per_gas_wei": int.from_bytes(price),
        "max_priority_fee_per_gas_wei": int.from_bytes(price),
    }
