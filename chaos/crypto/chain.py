"""The chain of a run: one real node, several endpoints with faults in front of it, and customers who paid on it."""

import itertools
import secrets
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from chaos.crypto.customers import Customer
from chaos.purses import Purse
from chaos.rpc_proxy import RpcProxy
from chaos.waiting import until
from devstack.chain import CHAIN_ID, Anvil, anvil_command, deposit_address, free_port, wallet
from devstack.chain_tokens import TOKENS, put
from devstack.contracts import contract
from devstack.keystore import write_keystore

# Two blocks an epoch would be final four below the head, and a reorg of three near it; three are final after six.
SLOTS_IN_AN_EPOCH = 3
BLOCKS_UNTIL_FINAL = 2 * SLOTS_IN_AN_EPOCH
WALLET_WEI = 10**22
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
_ERC20_TOML = """
[[chains.tokens]]
address = "{address}"
symbol = "{symbol}"
decimals = 6
min_amount_base_units = "1"
blacklist = "{blacklist}"
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
        tokens = [_ERC20_TOML.format(address=it.address, symbol=it.symbol, blacklist=it.blacklist) for it in TOKENS]
        chain = _TOML.format(chain_id=CHAIN_ID, urls=urls, deposit_address=deposit_address(), wallet=self.wallet)
        toml.write_text(chain + "".join(tokens))
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
        if not put(self.anvil.url):
            raise OSError("the tokens could not be put on the chain")
        customers = [Customer(self.anvil, self._seed, number) for number in range(count)]
        for act in (Customer.get_ready, Customer.pay):
            sent = [tx_hash for customer in customers for tx_hash in act(customer)]
            self._until_mined(sent)
        self.mine(BLOCKS_UNTIL_FINAL + 2)
        return [self._purse(it) for it in customers]

    def _until_mined(self, sent: Sequence[str]) -> None:
        receipts: dict[str, Any] = {}

        def are_mined() -> bool:
            for it in sent:
                receipts[it] = receipts.get(it) or self.anvil.call("eth_getTransactionReceipt", it)
            return all(receipts.values())

        until(are_mined, "what customers sent to be in blocks", MINED_SECONDS_MAX)
        if any(int(it["status"], 16) != 1 for it in receipts.values()):
            raise RuntimeError("a customer could not pay")

    def _purse(self, customer: Customer) -> Purse:
        payment = {
            "rail": "crypto",
            "chain_id": CHAIN_ID,
            "tx_hash": customer.tx_hash,
            "asset": customer.asset,
            "amount_base_units": str(customer.amount),
        }
        return Purse(
            name=f"c{customer.number:03}",
            payment=payment,
            owner=customer.address,
            amount=customer.amount,
            left=self._owned(customer.address, customer.asset),
            asset=customer.asset,
        )

    # --- the chain itself ---

    def owns(self, purse: Purse) -> int:
        """Return what an owner holds at the newest block, of what they paid in."""
        return self._owned(purse.owner, purse.asset)

    def _owned(self, address: str, asset: str) -> int:
        token = next((it for it in TOKENS if it.address == asset), None)
        if token is not None:
            return int(contract.at(self.anvil.call, token.contract, asset).ask("balanceOf", address))
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
