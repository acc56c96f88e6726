"""A customer who pays: in the coin, in a token, or in a token that somebody else pulls from them."""

from typing import Any

from eth_account import Account
from eth_account.signers.local import LocalAccount
from eth_utils.crypto import keccak

from devstack.chain import CHAIN_ID, Anvil, deposit_address
from devstack.chain_tokens import TOKENS
from devstack.contracts import contract

FUNDS_WEI = 10**18
PAID_WEI = 10**16
PAID_TOKENS = 20 * 10**6
KEPT_TOKENS = 5 * 10**6
GAS = 200_000
GAS_OF_A_TRANSFER = 21_000
FEE_WEI_MAX = 100 * 10**9
WAYS = 6  # three of six pay in the coin, two of the others let somebody else pull their tokens


class Customer:
    """One customer, by their number; `tx_hash` is known once they paid."""

    def __init__(self, anvil: Anvil, seed: object, number: int) -> None:
        self.number = number
        self._anvil = anvil
        self._payer: LocalAccount = Account.from_key(keccak(text=f"{seed}/{number}"))
        self._puller: LocalAccount = Account.from_key(keccak(text=f"{seed}/{number}/puller"))
        way = number % WAYS
        self._token = TOKENS[way % len(TOKENS)] if way >= WAYS // 2 else None
        self._is_pulled = way >= WAYS - 2
        self.tx_hash = ""

    @property
    def address(self) -> str:
        return str(self._payer.address)

    @property
    def asset(self) -> str:
        return self._token.address if self._token else "native"

    @property
    def amount(self) -> int:
        """Each pays another amount, so that no payout is taken for another's."""
        return PAID_TOKENS + self.number if self._token else PAID_WEI + self.number * 10**12

    def get_ready(self) -> list[str]:
        """Get the money; return the hashes of what must be in a block before paying."""
        for account in (self._payer, self._puller):
            self._anvil.call("anvil_setBalance", account.address, hex(FUNDS_WEI))
        if self._token is None:
            return []
        ready = [self._call_token(self._payer, 0, "mint", self.address, self.amount + KEPT_TOKENS)]
        if self._is_pulled:
            ready.append(self._call_token(self._payer, 1, "approve", self._puller.address, self.amount))
        return ready

    def pay(self) -> list[str]:
        """Pay to the deposit address, or let the money be pulled there by who is neither payer nor payee."""
        if self._token is None:
            self.tx_hash = self._send(self._payer, 0, deposit_address(), self.amount, "0x", GAS_OF_A_TRANSFER)
        elif self._is_pulled:
            pulled = self.address, deposit_address(), self.amount
            self.tx_hash = self._call_token(self._puller, 0, "transferFrom", *pulled)
        else:
            self.tx_hash = self._call_token(self._payer, 1, "transfer", deposit_address(), self.amount)
        return [self.tx_hash]

    def _call_token(self, signer: LocalAccount, nonce: int, function: str, *values: object) -> str:
        if self._token is None:
            raise ValueError("this customer pays in the coin")
        token = contract.at(self._anvil.call, self._token.contract, self._token.address)
        return self._send(signer, nonce, token.address, 0, token.data(function, *values), GAS)

    def _send(self, signer: LocalAccount, nonce: int, to: str, wei: int, data: str, gas: int) -> str:
        fields: Any = {
            "type": 2,
            "chainId": CHAIN_ID,
            "nonce": nonce,
            "to": to,
            "value": wei,
            "data": data,
            "gas": gas,
            "maxFeePerGas": FEE_WEI_MAX,
            "maxPriorityFeePerGas": 10**9,
        }
        signed = signer.sign_transaction(fields)
        return str(self._anvil.call("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex()))
