"""Takes out of log lines what must not stand there: secrets, and what tells who somebody is."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from structlog.typing import EventDict

REDACTED = "[redacted]"
SECRET_LENGTH_MIN = 6  # characters; a shorter one would black out innocent words everywhere
CARD_DIGITS = range(13, 20)

# A field of one of these names is redacted whatever it holds. A private key looks like the hash of a chain
# transaction, which must stay readable, so the name of its field, or the word before it, is all that tells.
_SECRET_FIELD = re.compile(
    r"(?:^|[_\-. ])(?:password|passwd|passphrase|secret|token|authorization|cookie|signature|signed|raw|private_?key"
    r"|api_?key|key|mnemonic|seed|keystore|e?mail|username|evidence|payment_proof|session_claim|card_?number|pan|cvc"
    r"|iban)s?(?:$|[_\-. ])",
    re.IGNORECASE,
)
_AMOUNT_FIELD = re.compile(r"_(?:wei|base_units|minor|seconds|at)$|^(?:nonce|timestamp|milliseconds)$")

_SECRETS = re.compile(
    "|".join(
        [
            r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)",
            r"\b(?:sk|rk)_[A-Za-z0-9_]{8,}",  # Stripe's secret and restricted keys
            r"\bwhsec_[A-Za-z0-9+/=_-]{8,}",
            r"\brfd_[A-Za-z0-9_-]{8,}",  # our own callers' tokens
            r"\beyJ[\w-]{8,}\.[\w-]+(?:\.[\w-]*)?",  # a JWT
            r"\bv1[=,][A-Za-z0-9+/=]{32,}",  # signatures of webhooks
            r"\bsha(?:1|256)=[0-9a-fA-F]{40,}",
            r"\b(?:0x)?[0-9a-fA-F]{128,}\b",  # signatures and signed bytes; a hash has 64
        ]
    ),
    re.DOTALL,
)
# Here the word that announces the secret stays.
_ANNOUNCED = re.compile(
    r"(?P<word>\b(?:bearer|basic)\s+(?=[^\s]{12})"
    r"|\b(?:password|passwd|passphrase|private[ _-]?key|secret(?:[ _-]?key)?|api[ _-]?key|token|mnemonic)"
    r"[\"']?\s*[=:]\s*[\"']?"
    r"|\b(?:private|secret|signing)[ _-]?key\s+(?:is\s+)?(?=[^\s]{12})"
    r"|://)"
    r"(?P<secret>(?<=://)[^\s/@]+(?=@)|(?<!://)[^\s\"',;}\]]{4,})",
    re.IGNORECASE,
)
_EMAIL = re.compile(r"[^\s@<>\"'(),;:=]+@[^\s@<>\"'(),;:=]+\.[^\s@<>\"'(),;:=]{2,}")
_DIGITS = re.compile(r"(?<![\w.])[2-6]\d{3}(?:[ -]?\d){9,15}(?![\w])")


class Redaction:
    """A structlog processor. `secrets` are those that this process was given; they go wherever they stand."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        known = sorted({it for it in secrets if len(it) >= SECRET_LENGTH_MIN}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known))) if known else None

    def __call__(self, _logger: Any, _method: str, event: EventDict) -> EventDict:
        return {str(key): self._field(str(key), value) for key, value in event.items()}

    def text(self, text: str) -> str:
        """Return the text without what must not stand in it."""
        if self._known is not None:
            text = self._known.sub(REDACTED, text)
        text = _SECRETS.sub(REDACTED, text)
        text = _ANNOUNCED.sub(rf"\g<word>{REDACTED}", text)
        text = _EMAIL.sub(REDACTED, text)
        return _DIGITS.sub(_without_card, text)

    def _field(self, name: str, value: Any) -> Any:
        if value is None or isinstance(value, bool):
            return value
        if _SECRET_FIELD.search(name):
            return REDACTED
        if _AMOUNT_FIELD.search(name) and str(value).isdecimal():
            return value
        return self._value(value)

    def _value(self, value: Any) -> Any:
        if value is None or isinstance(value, bool | float):
            return value
        if isinstance(value, int):
            return value if self.text(str(value)) == str(value) else REDACTED
        if isinstance(value, Mapping):
            return {self.text(str(key)): self._field(str(key), item) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value(item) for item in value]
        if isinstance(value, bytes | bytearray):
            return f"[{len(value)} bytes]"
        return self.text(value if isinstance(value, str) else str(value))


def _without_card(found: re.Match[str]) -> str:
    digits = [int(it) for it in found.group() if it.isdigit()]
    return REDACTED if len(digits) in CARD_DIGITS and _is_luhn(digits) else found.group()


def _is_luhn(digits: list[int]) -> bool:
    doubled = [digit * 2 - 9 * (digit > 4) if place % 2 else digit for place, digit in enumerate(reversed(digits))]
    return sum(doubled) % 10 == 0
