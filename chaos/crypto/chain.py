"""The chain of a run: one real node, several endpoints with faults in front of it, and customers who paid on it."""

import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from chaos.purses import Purse
from chaos.rpc_proxy import RpcProxy
from chaos.waiting import until
from devstack.chain import CHAIN_ID, Anvil, anvil_command, deposit_address, free_port, wallet
from devstack.keystore import write_keystore

# Two blocks an epoch would be final four below the head, and a reorg of three near it; three are final after six.
SLOTS_IN_AN_EPOCH = 3
BLOCKS_UNTIL_FINAL = 2 * SLOTS_IN_AN_EPOCH
FUNDS_WEI = 10**18
WALLET_WEI = 10**22
PAID_WEI = 10**16
GAS_OF_A_TRANSFER = 21_000
FEE_WEI_MAX = 100 * 10**9
MINED_SECONDS_MAX = 30.0
_TOML = """\
[[chains]]
chain_id = {chain_id}
name = "chaos"
rpc_urls = {urls}
finality = "finalized"
min_depth = 1
deposit_addresses = ["{deposit_address}"]
wallet = "{wallet}"
min_amount_base_units = "1"
max_fee_per_gas_wei_cap = "500000000000"
"""


class Chain:
    """A context manager; `anvil` is asked directly and without faults, the product only through `proxy`."""

    def __init__(self, folder: Path, *, seed: object, endpoints: int) -> None:
        self._seed = seed
        port = free_port()
        self.anvil = Anvil(anvil_command(port, None, slots_in_an_epoch=SLOTS_IN_AN_EPOCH), port)
        self._proxy = RpcProxy(self.anvil.url, endpoints=endpoints, seed=seed, journal=folder / "rpc.jsonl")
        self._folder = folder
        self.wallet = str(wallet().address)

    @property
    def proxy(self) -> RpcProxy:
        return self._proxy

    def __enter__(self) -> Self:
        self.anvil.start()
        try:
            self._proxy.__enter__()
        except BaseException:
            self.anvil.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._proxy.__exit__(kind, error, trace)
        finally:
            self.anvil.stop()

    def settings(self) -> dict[str, str]:
        """Write the files that the product is configured by; return the environment that names them."""
        toml, keystore, password = (
            self._folder / name for name in ("chains.toml", "keystore.json", "keystore.password")
        )
        urls = "[" + ", ".join(f'"{url}"' for url in self._proxy.urls) + "]"
        toml.write_text(
            _TOML.format(chain_id=CHAIN_ID, urls=urls, deposit_address=deposit_address(), wallet=self.wallet)
        )
        write_keystore(keystore, password, bytes(wallet().key), secrets.token_urlsafe(32))
        return {
            "REFUNDS_CHAINS": str(toml),
            "REFUNDS_KEYSTORE": str(keystore),
            "REFUNDS_KEYSTORE_PASSWORD_FILE": str(password),
        }

    # --- customers ---

    def open_purses(self, count: int) -> list[Purse]:
        """Let so many customers pay, each from an address of their own; return when the payments are final."""
        self.anvil.call("anvil_setBalance", self.wallet, hex(WALLET_WEI))
        paid = [self._pay(number) for number in range(count)]
        receipts: dict[str, Any] = {}

        def are_mined() -> bool:
            for _, tx_hash, _ in paid:
                receipts[tx_hash] = receipts.get(tx_hash) or self.anvil.call("eth_getTransactionReceipt", tx_hash)
            return all(receipts.values())

        until(are_mined, "the customers' payments to be in blocks", MINED_SECONDS_MAX)
        self.mine(BLOCKS_UNTIL_FINAL + 2)
        return [
            Purse(
                name=f"c{number:03}",
                payment={
                    "rail": "crypto",
                    "chain_id": CHAIN_ID,
                    "tx_hash": tx_hash,
                    "asset": "native",
                    "amount_base_units": str(amount),
                },
                owner=customer.address,
                amount=amount,
                left=self.balance(customer.address),
            )
            for number, (customer, tx_hash, amount) in enumerate(paid)
        ]

    def _pay(self, number: int) -> tuple[LocalAccount, str, int]:
        customer: LocalAccount = Account.from_key(keccak(text=f"{self._seed}/{number}"))
        amount = PAID_WEI + number * 10**12  # each another amount, so that no payout is taken for another's
        self.anvil.call("anvil_setBalance", customer.address, hex(FUNDS_WEI))
        signed = customer.sign_transaction(
            {
                "type": 2,
                "chainId": CHAIN_ID,
                "nonce": 0,
                "to": bytes.fromhex(deposit_address().removeprefix("0x")),
                "value": amount,
                "gas": GAS_OF_A_TRANSFER,
                "maxFeePerGas": FEE_WEI_MAX,
                "maxPriorityFeePerGas": 10**9,
            }
        )
        return customer, self.anvil.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()), amount

    # --- the chain itself ---

    def balance(self, address: str) -> int:
        """Return what an address holds at the newest block."""
        return int(self.anvil.call("eth_getBalance", address, "latest"), 16)

    def head(self) -> int:
        return int(self.anvil.call("eth_blockNumber"), 16)

    def mine(self, count: int) -> None:
        self.anvil.call("anvil_mine", hex(count))

    def make_blocks(self, seconds: int) -> None:
        """Make a block every so many seconds, none at 0."""
        self.anvil.call("evm_setIntervalMining", seconds)

    def payouts_in(self, blocks: Sequence[int]) -> list[dict[str, Any]]:
        """List what the wallet sent in these blocks, as the node tells it."""
        found = (self.anvil.call("eth_getBlockByNumber", hex(number), True) for number in blocks if number >= 0)
        sent = itertools.chain.from_iterable(block["transactions"] for block in found if block)
        return [it for it in sent if it["from"].lower() == self.wallet.lower()]

    def waiting_payouts(self) -> list[dict[str, Any]]:
        """List what of the wallet waits in the node's pool for its block."""
        pool = self.anvil.call("txpool_content")
        mine = [by_nonce for sender, by_nonce in pool["pending"].items() if sender.lower() == self.wallet.lower()]
        return [it for by_nonce in mine for it in by_nonce.values()]
