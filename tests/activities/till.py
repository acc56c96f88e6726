"""Refunds on a real node behind endpoints with faults: deposits are real, and money is counted on the chain."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from chaos.rpc_proxy import RpcProxy
from devstack.chain import Anvil, deposit_address
from devstack.contracts.contract import Contract, deploy
from domain.money import NATIVE, Money
from domain.payments import ChainPaymentRef
from domain.payouts import PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from gateways.evm.chain import EvmChain
from gateways.evm.signer import KeystoreSigner
from ledger.billing import DepositRecord
from tests.activities.line import Line
from tests.activities.steps import Steps
from tests.fakes import CHAIN_ID, SENDER, WALLET
from tests.gateways.evm.local_chain import LocalChain, chain_settings
from tests.workflows.house import COIN, House

GWEI = 10**9
PAID = (RefundStatus.REFUNDED, StatusReason.PAID, PayoutStatus.SUCCEEDED)
OWNER = 4  # the account that makes contracts, so that neither the wallet's nor the customer's nonces move
BLACKLISTS = {"UsdcLike": "isBlacklisted", "UsdtLike": "isBlackListed"}


class Town(LocalChain):
    """A node that makes blocks only when it is told to, and the endpoints in front of it."""

    def __init__(self, anvil: Anvil, proxy: RpcProxy) -> None:
        super().__init__(anvil)
        self.proxy = proxy

    def begin_anew(self) -> None:
        """Forget every block, and all that the last test did to the node."""
        self.call("anvil_dropAllTransactions")
        self.call("anvil_reset")
        self.call("evm_setAutomine", False)
        self.call("anvil_setBlockGasLimit", hex(30_000_000))
        self.mine(3)

    def at_once(self, method: str, *params: Any) -> Any:
        """Ask the node, and let a block be made for whatever was sent."""
        answer = self.call(method, *params)
        if method == "eth_sendTransaction":
            self.mine()
        return answer

    def deploy(self, name: str) -> Contract:
        return deploy(self.at_once, name, sender=self.fresh_account(OWNER))

    def turn_on(self, contract: Contract, function: str, *values: object) -> None:
        """Call one of a contract's switches; a block is made for it."""
        contract.send(function, *values, sender=self.fresh_account(OWNER))

    def nonces(self) -> int:
        return int(self.call("eth_getTransactionCount", WALLET, "latest"), 16)

    def pooled(self) -> int:
        status = self.call("txpool_status")
        return int(status["pending"], 16) + int(status["queued"], 16)

    def block_of(self, tx_hash: str) -> str | None:
        receipt = self.call("eth_getTransactionReceipt", tx_hash)
        return receipt["blockHash"] if receipt else None


@dataclass
class Till(Line):
    """A wallet's line on a real node. What was paid is read from the customer's balance since the last `open`."""

    town: Town
    token: Contract | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        self.open()

    def open(self) -> None:
        self._owned, self._nonces = self.owned(), self.town.nonces()

    def owned(self) -> int:
        if self.token is None:
            return self.town.balance(SENDER)
        return int(self.token.ask("balanceOf", SENDER))

    def paid(self) -> tuple[int, int]:
        """Return what the customer got, in refunds, and how many nonces of the wallet the chain used up."""
        risen, nonces = self.owned() - self._owned, self.town.nonces() - self._nonces
        assert risen % COIN == 0, "a refund moves its whole amount"
        return risen // COIN, nonces

    def deposit(self, name: str = "dep_1") -> None:
        """Let the customer pay, until it is final, and let billing tell of it."""
        if self.token is None:
            tx_hash = self.town.send(value=COIN)
            self.town.mine()
        else:
            tx_hash = self.token.send("transfer", deposit_address(), COIN, sender=SENDER)
        self.town.finalize()
        self.feed(name, tx_hash, asset=self.token.address if self.token else NATIVE)

    def feed(self, name: str, tx_hash: str, *, asset: str = NATIVE, amount: int = COIN) -> None:
        payment = ChainPaymentRef(chain_id=CHAIN_ID, tx_hash=tx_hash, asset=asset, amount_base_units=amount)
        record = DepositRecord(
            id=name,
            account_id="acct_1",
            credited=Money(amount_minor=2000, currency="USD"),
            paid_at=self.house.now - timedelta(days=2),
            payment=payment,
        )
        self.house.feed.put_deposit(record, actor="billing")

    def approved(self, name: str = "dep_1") -> str:
        self.deposit(name)
        refund = self.house.accept(name, rail="crypto", deposit_id=name)
        self.steps.check(refund)
        self.house.approve(refund)
        return refund

    def queue(self, name: str = "dep_1") -> str:
        refund = self.approved(name)
        self.steps.begin(refund)
        self.open()
        return refund

    def sent(self, name: str = "dep_1") -> str:
        """Bring a refund so far that its bytes lie in the node's pool."""
        refund = self.queue(name)
        self.turn()
        assert self.town.pooled() == 1
        return refund

    def until_final(self, turns: int = 1, seconds: float = 61) -> None:
        """Let blocks be made and the pump turn until what is in the pool is final."""
        for _ in range(turns):
            self.town.mine()
            self.town.finalize()
            self.house.clock.advance(seconds)
            self.turn()


def till(town: Town, house: House, signer: KeystoreSigner, *, endpoints: int = 1, **changes: Any) -> Till:
    """Open a wallet's line behind so many of the endpoints."""
    chain = chain_of(town, house, signer, endpoints=endpoints, **changes)
    return Till(Steps(house, chain, chain), town)


def token_till(town: Town, house: House, signer: KeystoreSigner, name: str, **changes: Any) -> Till:
    """Open a line that pays in a token, of which wallet and customer own enough."""
    token = town.deploy(name)
    for owner in (WALLET, SENDER):
        town.turn_on(token, "mint", owner, 100 * COIN)
    listed = {
        "address": token.address,
        "symbol": "TKN",
        "decimals": 6 if name in BLACKLISTS else 18,
        "min_amount_base_units": 1,
        "blacklist": BLACKLISTS.get(name),
    }
    chain = chain_of(town, house, signer, tokens=[listed | changes])
    return Till(Steps(house, chain, chain), town, token)


def chain_of(town: Town, house: House, signer: KeystoreSigner, *, endpoints: int = 1, **changes: Any) -> EvmChain:

    def clock() -> float:
        """By the test's clock an endpoint that was silent rests, and a chain id is asked for again."""
        return house.now.timestamp()

    return EvmChain(chain_settings(*town.proxy.urls[:endpoints], **changes), signer, clock)
