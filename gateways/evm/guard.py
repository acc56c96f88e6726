"""The last look before and after a signature: the bytes must say what was asked, and nothing more."""

from typing import Any

from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from domain.errors import NeedsOperator
from domain.refunds import StatusReason
from domain.transfers import SignedTransfer, Transfer
from gateways.evm.settings import ZERO_ADDRESS, ChainSettings, checksummed
from gateways.evm.signer import DYNAMIC_FEE_TYPE


def require_sane(transfer: Transfer, settings: ChainSettings) -> None:
    """Refuse to sign what the settings do not allow, whoever asks."""
    terms = transfer.terms
    rules = {
        f"it is for chain {transfer.chain_id}": transfer.chain_id == settings.chain_id,
        "it is not from the configured wallet": transfer.wallet == settings.wallet,
        "its receiver is not an EIP-55 address": _is_checksummed(transfer.to),
        "its receiver is our own or nobody": transfer.to not in {*settings.ours, ZERO_ADDRESS},
        "it moves nothing": transfer.amount_base_units > 0,
        "its gas is above the cap": 0 < terms.gas <= settings.gas_cap,
        "its fee is above the cap": 0 < terms.max_fee_per_gas_wei <= settings.max_fee_per_gas_wei_cap,
        "its tip is above its fee": 0 <= terms.max_priority_fee_per_gas_wei <= terms.max_fee_per_gas_wei,
    }
    _require(rules, settings)


def require_faithful(transfer: Transfer, signed: SignedTransfer, settings: ChainSettings) -> None:
    """Refuse signed bytes that are not this transfer, by this wallet, under this hash."""
    fields = _fields(signed.raw)
    terms = transfer.terms
    expected = {
        "type": DYNAMIC_FEE_TYPE,
        "chainId": transfer.chain_id,
        "nonce": transfer.nonce,
        "to": transfer.to,
        "value": transfer.amount_base_units,
        "data": b"",
        "accessList": (),
        "gas": terms.gas,
        "maxFeePerGas": terms.max_fee_per_gas_wei,
        "maxPriorityFeePerGas": terms.max_priority_fee_per_gas_wei,
        "signer": transfer.wallet,
    }
    rules = {
        f"the signer changed its {name}": name in fields and fields[name] == value for name, value in expected.items()
    }
    rules["its hash is not that of its bytes"] = signed.tx_hash == HexBytes(keccak(signed.raw)).to_0x_hex()
    _require(rules, settings)


def _fields(raw: bytes) -> dict[str, Any]:
    """Read signed bytes back; nothing where they are no typed chain transaction."""
    try:
        fields: dict[str, Any] = dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())
        fields["to"] = checksummed(HexBytes(fields["to"]).to_0x_hex())
        fields["data"] = bytes(fields["data"])
        fields["signer"] = Account.recover_transaction(raw)
    except (ValueError, TypeError, KeyError):
        return {}
    return fields


def _is_checksummed(address: str) -> bool:
    try:
        return checksummed(address) == address
    except ValueError:
        return False


def _require(rules: dict[str, bool], settings: ChainSettings) -> None:
    broken = [rule for rule, holds in rules.items() if not holds]
    if broken:
        raise NeedsOperator(
            StatusReason.PAYOUT_REFUSED,
            f"The transfer on {settings.name} was not signed: {', '.join(broken)}.",
        )
