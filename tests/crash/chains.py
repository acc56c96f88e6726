"""Chains for many cases side by side: each a real node of its own, with one wallet that refunds are paid from."""

import itertools
import secrets
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount

from devstack.chain import Anvil, anvil_command, deposit_address, free_port, wallet
from devstack.keystore import write_keystore

CHAIN_ID_FIRST = 41001
COIN_WEI = 10**18
GAS_OF_A_TRANSFER = 21_000
FEE_WEI_MAX = 100 * 10**9
BLOCKS_UNTIL_FINAL = 8
_TOML = """\
[[chains]]
chain_id = {chain_id}
name = "chain_{chain_id}"
rpc_urls = ["{url}"]
finality = "finalized"
min_depth = 1
deposit_addresses = ["{deposit_address}"]
wallet = "{wallet}"
min_amount_base_units = "1"
max_fee_per_gas_wei_cap = "500000000000"
"""


@dataclass(frozen=True)
class Payment:
    """A customer's deposit on a chain."""

    customer: str
    tx_hash: str
    amount_wei: int
    left_wei: int
    """What the customer's address holds after it."""


@dataclass(frozen=True)
class Transfer:
    """A chain transaction of our wallet, as the chain shows it."""

    nonce: int
    to: str
    amount_wei: int


class LocalChain:
    """One node, and the customers who pay on it."""

    def __init__(self, chain_id: int, anvil: Anvil) -> None:
        self.chain_id = chain_id
        self.anvil = anvil

    @property
    def toml(self) -> str:
        return _TOML.format(
            chain_id=self.chain_id,
            url=self.anvil.url,
            deposit_address=deposit_address(),
            wallet=wallet().address,
        )

    def pay(self, amount_wei: int) -> Payment:
        """Let a new customer pay a deposit; return when it is final."""
        customer: LocalAccount = Account.create()
        self.anvil.call("anvil_setBalance", customer.address, hex(COIN_WEI))
        signed = customer.sign_transaction(
            {
                "type": 2,
                "chainId": self.chain_id,
                "nonce": 0,
                "to": deposit_address(),
                "value": amount_wei,
                "gas": GAS_OF_A_TRANSFER,
                "maxFeePerGas": FEE_WEI_MAX,
                "maxPriorityFeePerGas": 1,
            }
        )
        tx_hash = self.anvil.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())
        self.anvil.call("anvil_mine", hex(BLOCKS_UNTIL_FINAL))
        return Payment(customer.address, tx_hash, amount_wei, self.balance_wei(customer.address))

    def stand_still(self) -> None:
        """Make no blocks, so that nothing becomes final, until `go_on()`."""
        self.anvil.call("evm_setIntervalMining", 0)

    def has_waiting_payout(self) -> bool:
        """Tell whether a chain transaction of our wallet waits for its block."""
        counts = [self.anvil.call("eth_getTransactionCount", wallet().address, at) for at in ("latest", "pending")]
        return bool(counts[0] != counts[1])

    def mine_one(self) -> None:
        self.anvil.call("evm_mine")

    def go_on(self) -> None:
        """Make a block each second again."""
        self.anvil.call("evm_setIntervalMining", 1)

    def balance_wei(self, address: str) -> int:
        return int(self.anvil.call("eth_getBalance", address, "latest"), 16)

    def wallet_transfers(self) -> list[Transfer]:
        """Read every block and list what our wallet sent, in the order of the chain."""
        height = int(self.anvil.call("eth_blockNumber"), 16)
        blocks = (self.anvil.call("eth_getBlockByNumber", hex(it), True) for it in range(height + 1))
        return [
            Transfer(nonce=int(it["nonce"], 16), to=it["to"].lower(), amount_wei=int(it["value"], 16))
            for it in itertools.chain.from_iterable(block["transactions"] for block in blocks)
            if it["from"].lower() == wallet().address.lower()
        ]


@contextmanager
def local_chains(count: int) -> Iterator[list[LocalChain]]:
    """Run so many chains."""

    def start(number: int) -> LocalChain:
        port, chain_id = free_port(), CHAIN_ID_FIRST + number
        anvil = Anvil(anvil_command(port, None, chain_id=chain_id), port)
        anvil.start()
        return LocalChain(chain_id, anvil)

    chains: list[LocalChain] = []
    try:
        for number in range(count):
            chains.append(start(number))
        yield chains
    finally:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda chain: chain.anvil.stop(), chains))


def settings(chains: list[LocalChain], folder: Path) -> Mapping[str, Any]:
    """Write the settings that name all chains and the one key; return the environment that points to them."""
    toml, keystore, password = (folder / name for name in ("chains.toml", "keystore.json", "keystore.password"))
    toml.write_text("\n".join(chain.toml for chain in chains))
    write_keystore(keystore, password, bytes(wallet().key), secrets.token_urlsafe(32))
    return {
        "REFUNDS_CHAINS": str(toml),
        "REFUNDS_KEYSTORE": str(keystore),
        "REFUNDS_KEYSTORE_PASSWORD_FILE": str(password),
    }
