"""Payouts as tests make them: the right one, and bytes that differ from it in one field."""

from eth_account import Account

from devstack.chain import (
    depositor,
    wallet,
)
from domain.transfers import Outgoing, SignedTransfer, Transfer
from gateways.evm.chain import EvmChain
from tests.gateways.evm.local_chain import DEPOSIT_WEI

REVERTS = "0x60006000fd"
# Writes one storage slot when paid: more gas than a plain transfer, as a contract wallet needs.
KEEPS_COUNT = "0x4360005500"
STOPS = "0x00"
BURNS = "0x5b600056"
DELEGATION = "0xef0100" + 20 * "11"


def outgoing(to: str = "", **changes: object) -> Outgoing:
    """Return what a payout of the deposit's amount must move."""
    fields = {
        "chain_id": 31337,
        "wallet": wallet().address,
        "to": to or depositor().address,
        "amount_base_units": DEPOSIT_WEI,
    }
    return Outgoing.model_validate(fields | changes)


def transfer(chain: EvmChain, **changes: object) -> Transfer:
    fields = {
        **outgoing().model_dump(),
        "nonce": chain.view().nonce_pending,
        "terms": chain.terms(outgoing()),
    }
    return Transfer.model_validate(fields | changes)


def signed_otherwise(transfer: Transfer, *, key: bytes | None = None, **changes: object) -> SignedTransfer:
    fields = {
        "type": 2,
        "chainId": transfer.chain_id,
        "nonce": transfer.nonce,
        "to": transfer.to,
        "value": transfer.amount_base_units,
        "gas": transfer.terms.gas,
        "maxFeePerGas": transfer.terms.max_fee_per_gas_wei,
        "maxPriorityFeePerGas": transfer.terms.max_priority_fee_per_gas_wei,
    }
    signed = Account.sign_transaction(fields | changes, key or wallet().key)
    return SignedTransfer(tx_hash=signed.hash.to_0x_hex(), raw=bytes(signed.raw_transaction))


def signed_as_legacy(transfer: Transfer) -> SignedTransfer:
    fields = {
        "nonce": transfer.nonce,
        "to": transfer.to,
        "value": transfer.amount_base_units,
        "gas": transfer.terms.gas,
        "gasPrice": transfer.terms.max_fee_per_gas_wei,
    }
    signed = Account.sign_transaction(fields, wallet().key)
    return SignedTransfer(tx_hash=signed.hash.to_0x_hex(), raw=bytes(signed.raw_transaction))
