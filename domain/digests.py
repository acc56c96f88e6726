"""The digest that binds a decision to what the operator saw: nothing in it moves by itself."""

import hashlib
import json
from typing import Any

from domain.money import Money, TokenAmount
from domain.verdicts import Verdict

# Made once: an encoder for each call takes longer than what it encodes.
_encode = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def canonical_json(value: Any) -> str:
    """Write JSON in one way only: sorted keys, no spaces, ASCII."""
    return _encode(value)


def digest(
    *, refund_id: str, attempt: int, deposit_id: str, amount: Money | TokenAmount, rail: str, verdict: Verdict
) -> str:
    """Return `sha256:` and 64 hexadecimal digits over all that an approval stands for."""
    seen = {
        "refund_id": refund_id,
        "attempt": attempt,
        "deposit_id": deposit_id,
        "amount": amount.model_dump(mode="json"),
        "rail": rail,
        "destination": verdict.destination,
        "policy_version": verdict.policy_version,
        "rules": [[result.rule.value, result.outcome.value, result.code] for result in verdict.rules],
    }
    return f"sha256:{hashlib.sha256(canonical_json(seen).encode()).hexdigest()}"
