"""One wallet's payouts on a real ledger and a real node; the pump is turned by hand, without Temporal."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any, TypeVar

from temporalio.testing import ActivityEnvironment

from activities.crypto import CryptoActivities
from activities.payments import PaymentActivities, PaymentReader
from bench.players import BenchFailedError
from devstack.chain import CHAIN_ID, Anvil, deposit_address, depositor, wallet
from devstack.chain_tokens import DECIMALS, TOKENS, LocalToken
from devstack.contracts import contract
from devstack.keystore import write_keystore
from domain.decisions import Action
from domain.money import NATIVE, Money
from domain.payments import ChainPaymentRef
from domain.people import Role
from domain.policy import Policy
from domain.refunds import RefundRequest, refund_id
from domain.runs import PumpReport, RefundKey, WalletKey
from gateways.evm.chain import EvmChain
from gateways.evm.settings import ChainSettings
from gateways.evm.signer import KeystoreSigner
from ledger import migrate
from ledger.billing import AccountRecord, DepositRecord
from ledger.checking import Checking
from ledger.clients import Clients
from ledger.database import Database
from ledger.feed import Feed
from ledger.intake import Intake, Requester
from ledger.outbox import Outbox
from ledger.payouts import Payouts
from ledger.progress import Progress
from ledger.rails import Rails
from ledger.records import NewDecision, Records
from ledger.sightings import Sightings
from ledger.signing import Signing
from ledger.views import Views
from ledger.wallets import Wallets

DESK = Requester(name="desk", is_helpdesk=True)
ACCOUNT = "acct_bench"
AMOUNT_MINOR = 2000
COIN_WEI = 10**15
TOKEN_BASE_UNITS = 20 * 10**DECIMALS
BLOCKS_UNTIL_FINAL = 3  # one slot an epoch leaves two blocks that are not final

Result = TypeVar("Result")


def new_signer(folder: Path) -> KeystoreSigner:
    """Write the keystore of the local wallet and open it."""
    keystore, password = folder / "wallet.json", folder / "wallet.password"
    write_keystore(keystore, password, bytes(wallet().key), "bench")
    signer = KeystoreSigner(keystore, password, wallet().address)
    signer.unlock()
    return signer


def chain_settings(url: str) -> ChainSettings:
    """Return the local chain with its tokens, as one endpoint shows it."""
    tokens = [
        {
            "address": token.address,
            "symbol": token.symbol,
            "decimals": DECIMALS,
            "min_amount_base_units": 1,
            "blacklist": token.blacklist,
        }
        for token in TOKENS
    ]
    return ChainSettings.model_validate(
        {
            "chain_id": CHAIN_ID,
            "name": "anvil",
            "rpc_urls": [url],
            "finality": "finalized",
            "deposit_addresses": [deposit_address()],
            "wallet": wallet().address,
            "min_amount_base_units": 1,
            "max_fee_per_gas_wei_cap": 500 * 10**9,
            "gas_cap": 100_000,
            "tokens": tokens,
        }
    )


def furnish(database: Database, policy: Policy) -> None:
    """Write an empty ledger with one approver and one customer."""
    migrate.upgrade(database)
    Clients(database).add("ann", Role.APPROVER, actor="bench")
    Feed(database, policy).put_account(AccountRecord(id=ACCOUNT, username="bench"), actor="billing")


class WalletLine:
    """Brings refunds to their queued payout, each by a deposit of its own, and turns the pump."""

    def __init__(self, database: Database, policy: Policy, anvil: Anvil, chain: EvmChain, reader: EvmChain) -> None:
        """The pump asks `chain`; deposits are read from `reader`, so that only payouts are counted on the former."""
        self._anvil = anvil
        self._feed = Feed(database, policy)
        self._intake = Intake(database, policy)
        self._records = Records(database, policy)
        self._views = Views(database)
        self._payments = PaymentActivities(
            reader=PaymentReader(None, {CHAIN_ID: reader}),
            checking=Checking(database, policy),
            payouts=Payouts(database, policy, {CHAIN_ID: wallet().address}),
            progress=Progress(database, policy),
            stops=Rails(database),
        )
        self._crypto = CryptoActivities(
            chains={CHAIN_ID: chain},
            outbox=Outbox(database),
            signing=Signing(database, policy),
            sightings=Sightings(database, policy),
            wallets=Wallets(database, policy),
            refunds=self._intake,
            wallet_runs=_NobodyToWake(),
            handling=policy.handling,
        )
        self._numbers = count(1)

    def queue(self, payouts: int, token: LocalToken | None = None) -> list[str]:
        """Let customers pay, and bring their refunds to where only the wallet has to act.

        No two pay the same amount: a call of which there are several is asked about once, as it seldom happens.
        """
        least = TOKEN_BASE_UNITS if token else COIN_WEI
        amounts = [least + next(self._numbers) for _ in range(payouts)]
        paid = [(self._pay(token, amount), amount) for amount in amounts]
        self._anvil.call("anvil_mine", hex(BLOCKS_UNTIL_FINAL))
        return [self._bring(tx_hash, token, amount) for tx_hash, amount in paid]

    def turn(self, number: int) -> PumpReport:
        """Turn the pump once, as the wallet's workflow does about once a block."""
        key = WalletKey(chain_id=CHAIN_ID, wallet=wallet().address, turn=number)
        return _run(self._crypto.pump, key)

    def payouts(self, refunds: Sequence[str]) -> list[dict[str, Any]]:
        """Return the one payout of each refund; more than one is a failure."""
        found = [self._views.refund(refund)["payouts"] for refund in refunds]
        if any(len(it) != 1 for it in found):
            raise BenchFailedError("a refund has another number of payouts than one")
        return [it[0] for it in found]

    def _pay(self, token: LocalToken | None, amount: int) -> str:
        fields = {"from": depositor().address, "to": deposit_address(), "value": hex(amount)}
        if token is not None:
            made = contract.at(self._anvil.call, token.contract, token.address)
            data = made.data("transfer", deposit_address(), amount)
            fields = {"from": depositor().address, "to": token.address, "gas": hex(contract.GAS), "data": data}
        return str(self._anvil.call("eth_sendTransaction", fields))

    def _bring(self, tx_hash: str, token: LocalToken | None, amount: int) -> str:
        name = f"dep_{next(self._numbers)}"
        payment = ChainPaymentRef(
            chain_id=CHAIN_ID,
            tx_hash=tx_hash,
            asset=token.address if token else NATIVE,
            amount_base_units=amount,
        )
        deposit = DepositRecord(
            id=name,
            account_id=ACCOUNT,
            credited=Money(amount_minor=AMOUNT_MINOR, currency="USD"),
            paid_at=datetime.now(UTC) - timedelta(days=1),
            payment=payment,
        )
        self._feed.put_deposit(deposit, actor="billing")
        body = {
            "ticket": {"system": "bench", "id": name},
            "channel": "ticket",
            "account": {"id": ACCOUNT},
            "rail": "crypto",
            "deposit_id": name,
            "requested_at": datetime.now(UTC).isoformat(),
        }
        request = RefundRequest.parse(body)
        self._intake.accept(request, DESK)
        refund = refund_id(request.ticket)
        _run(self._payments.check_refund, RefundKey(refund_id=refund))
        digest = self._views.refund(refund)["digest"]
        if digest is None:
            raise BenchFailedError(f"{refund} has no verdict: {self._views.refund(refund)}")
        decision = NewDecision(decision_id=f"d-{name}", action=Action.APPROVE, digest=digest)
        self._records.decide(refund, decision, operator="ann")
        _run(self._payments.begin_payout, RefundKey(refund_id=refund))
        return refund


class _NobodyToWake:
    """There are no workflows here."""

    async def wake(self, key: WalletKey) -> None:
        return


def _run(step: Callable[..., Result], argument: object) -> Result:
    return ActivityEnvironment().run(step, argument)
