"""A merchant who takes one token on the local chain."""

from typing import Any

from devstack.chain import deposit_address, depositor
from devstack.contracts.contract import deploy
from domain.payments import ChainPayment
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from tests.gateways.evm.local_chain import LocalChain, chain_settings, reference

AMOUNT = 25_000_000  # base units: 25 coins of six decimals
OWNER = depositor().address
BLACKLISTS = {"UsdcLike": "isBlacklisted", "UsdtLike": "isBlackListed"}


class Shop:
    """A merchant who takes one token: the token, and the gateway that is told of it."""

    def __init__(
        self, local: LocalChain, signer: KeystoreSigner, name: str, *, url: str = "", **changes: Any
    ) -> None:
        self.local, self.signer, self.url = local, signer, url or local.anvil.url
        self.token = deploy(local.call, name, sender=OWNER)
        self.token.send("mint", OWNER, 4 * AMOUNT, sender=OWNER)
        listed = {
            "address": self.token.address,
            "symbol": "USDX",
            "decimals": 6,
            "min_amount_base_units": 1000,
            "blacklist": BLACKLISTS.get(name),
        }
        self.settings = chain_settings(self.url, tokens=[listed], **changes)

    def pay(self, *, to: str = "", amount: int = AMOUNT) -> str:
        return self.token.send("transfer", to or deposit_address(), amount, sender=OWNER)

    def read(self, tx_hash: str, *, amount: int = AMOUNT, **changes: Any) -> ChainPayment:
        self.local.finalize()
        named = {"asset": self.token.address, "amount_base_units": amount} | changes
        return EvmChain(self.settings, self.signer).read_deposit(reference(tx_hash, **named))

    def log_index(self, tx_hash: str, place: int = -1) -> int:
        """Return the index in its block of one of the chain transaction's logs."""
        receipt = self.local.call("eth_getTransactionReceipt", tx_hash)
        return int(receipt["logs"][place]["logIndex"], 16)
