"""A real anvil seen by a test: pay, mine, change code; and what the gateway is told about it."""

from typing import Any

from devstack.chain import Anvil, account, deposit_address, depositor, wallet
from domain.payments import ChainPaymentRef
from gateways.evm.settings import ChainSettings

DEPOSIT_WEI = 10**16
FINALITY_BLOCKS = 2  # anvil with one slot an epoch


class LocalChain:
    """Mines when told to; accounts of anvil sign what they send, so senders are real."""

    def __init__(self, anvil: Anvil) -> None:
        self.anvil = anvil
        self.call = anvil.call

    def pay(self, *, sender: str | None = None, to: str | None = None, value: int = DEPOSIT_WEI, **more: Any) -> str:
        """Send a chain transaction and wait until it is mined; further blocks are up to the test."""
        tx_hash = self.send(sender=sender, to=to, value=value, **more)
        self.mined_in(tx_hash)
        return tx_hash

    def mined_in(self, tx_hash: str) -> int:
        """Ask until the receipt is there: anvil answers a send before it has mined it."""
        while (receipt := self.call("eth_getTransactionReceipt", tx_hash)) is None:
            continue
        return int(receipt["blockNumber"], 16)

    def send(self, *, sender: str | None = None, to: str | None = None, value: int = DEPOSIT_WEI, **more: Any) -> str:
        fields = {"from": sender or depositor().address, "to": to or deposit_address(), "value": hex(value), **more}
        sent: str = self.call("eth_sendTransaction", fields)
        return sent

    def mine(self, blocks: int = 1) -> None:
        self.call("anvil_mine", hex(blocks))

    def mine_until(self, height: int) -> None:
        missing = height - int(self.call("eth_blockNumber"), 16)
        if missing > 0:
            self.mine(missing)

    def finalize(self) -> None:
        self.mine(FINALITY_BLOCKS)

    def set_code(self, address: str, code: str) -> None:
        self.call("anvil_setCode", address, code)
        self.mine()

    def fresh_account(self, index: int) -> str:
        """Return an address of the test mnemonic that anvil signs for."""
        return str(account(index).address)

    def balance(self, address: str) -> int:
        return int(self.call("eth_getBalance", address, "latest"), 16)


def chain_settings(*urls: str, **changes: Any) -> ChainSettings:
    fields = {
        "chain_id": 31337,
        "name": "anvil",
        "rpc_urls": list(urls),
        "finality": "finalized",
        "min_depth": 0,
        "deposit_addresses": [deposit_address()],
        "wallet": wallet().address,
        "min_amount_base_units": 1000,
        "max_fee_per_gas_wei_cap": 500 * 10**9,
        "gas_cap": 100_000,
    }
    return ChainSettings.model_validate(fields | changes)


def reference(tx_hash: str, **changes: Any) -> ChainPaymentRef:
    fields = {"chain_id": 31337, "tx_hash": tx_hash, "amount_base_units": DEPOSIT_WEI}
    return ChainPaymentRef.model_validate(fields | changes)
