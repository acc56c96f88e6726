"""Known mistakes of payout services, planted from outside into a worker of the harness: each must be caught.

Each replaces a method of the product's classes in that one process. The product has no switch for any of them.
"""

import json
import os
import time
import tomllib
import urllib.request
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from chaos.card.bugs import CARD_BUGS
from devstack.chain import wallet
from domain.outbox import SentPayout
from domain.payments import ChainPayment
from domain.payouts import PayoutOutcome, PayoutStatus
from domain.refunds import RefundStatus, StatusReason
from domain.transfers import Outgoing, SendAnswer, Sighting, SignedTransfer, Transfer
from gateways.evm import deposits, token_deposits
from gateways.evm.chain import EvmChain
from gateways.evm.mined import Mined
from ledger import cases
from ledger.outbox import Outbox
from ledger.settling import settle
from ledger.tables import ChainTransaction, Payout

SENDS_UNTIL_GIVEN_UP = 2
ASKS_MAX = 20
ASK_SECONDS = 5.0


def plant(name: str) -> None:
    """Plant one, for this process and all that it forks."""
    if name not in BUGS:
        raise ValueError(f"there is no bug {name}; there are {', '.join(BUGS)}")
    BUGS[name]()


def new_nonce_when_unsure() -> None:
    """Sign anew, under the next nonce that the node names, when a payout was not seen at once."""
    send = EvmChain.broadcast
    sends: Counter[bytes] = Counter()

    def broadcast(self: EvmChain, raw: bytes) -> SendAnswer:
        answer = send(self, raw)
        sends[raw] += 1
        if answer == SendAnswer.UNCLEAR or sends[raw] > 1:
            _pay_again(raw)
        return answer

    _replace(EvmChain, "broadcast", broadcast)


def missing_receipt_is_unpaid() -> None:
    """Pay again, under another nonce, what has no receipt although its nonce is used."""
    send, look = EvmChain.broadcast, EvmChain.look
    sent: dict[str, bytes] = {}

    def broadcast(self: EvmChain, raw: bytes) -> SendAnswer:
        sent["0x" + keccak(raw).hex()] = raw
        return send(self, raw)

    def look_and_pay(self: EvmChain, outgoing: Outgoing, tx_hash: str, *more: Any) -> Sighting:
        seen = look(self, outgoing, tx_hash, *more)
        raw = sent.get(tx_hash)
        if not seen.is_mined and raw is not None and _count("latest") > int(_fields(raw)["nonce"]):
            del sent[tx_hash]
            _pay_again(raw)
        return seen

    _replace(EvmChain, "broadcast", broadcast)
    _replace(EvmChain, "look", look_and_pay)


def save_after_send() -> None:
    """Send in the moment of signing: the bytes are out while their row is not committed."""
    sign = EvmChain.sign

    def sign_and_send(self: EvmChain, transfer: Transfer) -> SignedTransfer:
        signed = sign(self, transfer)
        self.broadcast(signed.raw)
        return signed

    _replace(EvmChain, "sign", sign_and_send)


def release_when_retries_end() -> None:
    """Take a payout for failed that was sent some times in vain, and give the hold back."""
    record_sends = Outbox.record_sends

    def give_up(self: Outbox, answers: Mapping[str, SendAnswer], *head: Any) -> None:
        record_sends(self, answers, *head)
        with self._database.write() as session:
            for tx_hash in answers:
                sent = session.get_one(ChainTransaction, tx_hash)
                payout = session.get_one(Payout, (sent.refund_id, sent.attempt))
                if sent.sends >= SENDS_UNTIL_GIVEN_UP and payout.status == PayoutStatus.UNKNOWN:
                    row = cases.get(session, sent.refund_id)
                    failed = PayoutOutcome(status=PayoutStatus.FAILED, reason=StatusReason.PAYOUT_FAILED)
                    settle(session, self._database, row, payout, failed)
                    ended = RefundStatus.REJECTED, StatusReason.OPERATOR_REJECTED
                    cases.end_unpaid(session, self._database, row, *ended)

    _replace(Outbox, "record_sends", give_up)


def no_rebroadcast_after_paid() -> None:
    """Take the first receipt for the end: what is paid is not looked at any more."""
    look = EvmChain.look

    def look_once(self: EvmChain, *asked: Any) -> Sighting:
        seen = look(self, *asked)
        return seen.model_copy(update={"is_final": True, "is_buried": True}) if seen.is_mined else seen

    _replace(EvmChain, "look", look_once)


def newest_hash_only() -> None:
    """Watch the bytes that were signed last, and forget those whose fee was raised."""
    sent = Outbox.sent

    def newest(self: Outbox, *asked: Any) -> list[SentPayout]:
        return [it.model_copy(update={"transactions": it.transactions[-1:]}) for it in sent(self, *asked)]

    _replace(Outbox, "sent", newest)


def tx_from_for_tokens() -> None:
    """Take who signed a token's deposit for its payer, where somebody else pulled it."""
    judge = token_deposits.judge_token

    def judge_by_signer(mined: Mined) -> ChainPayment:
        told = judge(mined)
        return told.model_copy(update={"sender": mined.transaction.sender}) if told.sender else told

    setattr(deposits, "judge_token", judge_by_signer)  # noqa: B010 - mypy


BUGS: dict[str, Callable[[], None]] = {
    it.__name__: it
    for it in (
        new_nonce_when_unsure,
        save_after_send,
        release_when_retries_end,
        no_rebroadcast_after_paid,
        newest_hash_only,
        missing_receipt_is_unpaid,
        tx_from_for_tokens,
    )
} | CARD_BUGS


def _replace(owner: type, name: str, method: Callable[..., Any]) -> None:
    setattr(owner, name, method)


def _fields(raw: bytes) -> dict[str, Any]:
    return dict(TypedTransaction.from_bytes(HexBytes(raw)).as_dict())


def _count(block: str) -> int:
    return int(_ask("eth_getTransactionCount", wallet().address, block), 16)


def _pay_again(raw: bytes) -> None:
    """Sign the same transfer under the next nonce, and send it."""
    unsigned = {name: it for name, it in _fields(raw).items() if name not in ("v", "r", "s", "yParity")}
    signed = wallet().sign_transaction(unsigned | {"nonce": _count("pending")})
    _ask("eth_sendRawTransaction", signed.raw_transaction.to_0x_hex())


def _ask(method: str, *params: Any) -> Any:
    """Ask the first endpoint until it answers something: who makes this mistake does not stop at an error."""
    chains = tomllib.loads(Path(os.environ["REFUNDS_CHAINS"]).read_text())["chains"]
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": list(params)}).encode()
    for _ in range(ASKS_MAX):
        request = urllib.request.Request(chains[0]["rpc_urls"][0], body, {"Content-Type": "application/json"})  # noqa: S310 - loopback
        try:
            with urllib.request.urlopen(request, timeout=ASK_SECONDS) as answer:  # noqa: S310 - as above
                told = json.load(answer)
        except (OSError, ValueError):
            time.sleep(0.1)
            continue
        if "result" in told or method == "eth_sendRawTransaction":
            return told.get("result")
    raise OSError(f"no answer to {method}")
