"""Every way a refund can be refused, by who can do something about it.

RefundError
├── Refused               the caller can mend it: carries the problem type, the field and the rule
│   ├── InvalidRequest        a field breaks a rule
│   ├── NotAuthenticated      no valid token
│   ├── NotAllowed            the role may not do this
│   ├── NotFound              no such thing, or not theirs
│   ├── KeyReused             an idempotency key came with another call before
│   └── Conflict              it contradicts what is recorded
│       ├── WrongState            the refund is not where this act belongs
│       ├── InsufficientBalance   do not sell: the spendable balance is too small
│       ├── PaymentTaken          another deposit is backed by this payment
│       ├── StaleDigest           the decision names something other than what would be paid now
│       ├── AlreadyDecided        an earlier decision stands
│       └── KeyInUse              the same call is being worked on
├── NeedsOperator         a person must look: carries the reason that the refund will show
│   └── BytesDiffer           signed bytes do not say what they are for: the wallet stops
└── TryAgain              time can mend it: provider, chain or database did not answer clearly
    ├── NotReady              asked too early, nothing is wrong
    ├── AccessRefused         the provider does not take our key: the whole rail stops until people start it
    ├── FailureStored         the provider repeats a failure that it stored for our key: only looking tells more
    └── EndpointsDisagree     endpoints of one chain contradict each other: nothing is decided meanwhile
"""

from collections.abc import Mapping, Sequence


class RefundError(Exception):
    """The root; never raised itself."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Refused(RefundError):
    """The caller can mend this. `type` is the last part of the problem type in HTTP answers."""

    type = "refused"

    def __init__(self, message: str, *, field: str | None = None, rule: str | None = None) -> None:
        super().__init__(message)
        self.field = field
        self.rule = rule


class InvalidRequest(Refused):
    """A field breaks a rule."""

    type = "invalid-request"

    def __init__(self, field: str, rule: str, message: str) -> None:
        super().__init__(f"{field}: {message}", field=field, rule=rule)


class NotAuthenticated(Refused):
    """The bearer token is missing or unknown."""

    type = "not-authenticated"

    def __init__(self) -> None:
        super().__init__("A valid bearer token is needed.", field="Authorization", rule="valid_token")


class NotAllowed(Refused):
    """The caller is known and may not do this."""

    type = "not-allowed"


class NotFound(Refused):
    """There is no such thing, or the caller may not know of it."""

    type = "not-found"

    def __init__(self, what: str, identifier: str) -> None:
        super().__init__(f"There is no {what} {identifier!r}.", field=what, rule="exists")


class Conflict(Refused):
    """The call contradicts what is already recorded."""

    type = "conflict"


class WrongState(Conflict):
    """The refund is not in a state in which this act has a meaning."""

    type = "wrong-state"

    acts = (
        ("take the decision", "decidable", "awaiting_approval", "can be decided"),
        ("have its ownership", "confirmable", "awaiting_ownership", "can have its ownership confirmed"),
        (
            "be withdrawn",
            "withdrawable",
            "checking, awaiting_ownership, awaiting_orders or awaiting_approval",
            "can be withdrawn",
        ),
        ("be resolved", "resolvable", "needs_attention", "can be resolved"),
    )
    """How an act begins, the rule that it breaks, where a refund must stand for it, and what it can do there."""

    def __init__(self, act: str, status: str) -> None:
        rule, wanted, can = next(it for begins, *it in self.acts if act.startswith(begins))
        super().__init__(f"This refund is {status}; only one that is {wanted} {can}.", field="status", rule=rule)


class InsufficientBalance(Conflict):
    """The order needs more than the account may spend now, held money included in what it may not."""

    type = "insufficient-balance"

    def __init__(self, needed_minor: int, spendable_minor: int, currency: str) -> None:
        super().__init__(
            f"The order needs {needed_minor} and {spendable_minor} {currency} (smallest unit) may be spent.",
            field="amount_minor",
            rule="spendable_balance",
        )


class PaymentTaken(Conflict):
    """One payment backs one deposit."""

    type = "payment-taken"

    def __init__(self, deposit_id: str) -> None:
        super().__init__(
            f"This payment already backs deposit {deposit_id!r}.",
            field="payment",
            rule="one_deposit_per_payment",
        )


class StaleDigest(Conflict):
    """The operator saw something other than what would be paid now."""

    type = "stale-digest"

    def __init__(self, digest: str | None) -> None:
        super().__init__(
            f"The digest is not the refund's current one ({digest}). Look at the refund again.",
            field="digest",
            rule="current_digest",
        )


class AlreadyDecided(Conflict):
    """An earlier recorded decision or withdrawal stands."""

    type = "already-decided"

    def __init__(self, outcome: str) -> None:
        super().__init__(f"This refund is already {outcome}.", field="action", rule="undecided")


class KeyReused(Refused):
    """An idempotency key names one call, and this is another one."""

    type = "idempotency-key-reused"

    def __init__(self) -> None:
        super().__init__(
            "This key came with another call before. A new call needs a new key.",
            field="Idempotency-Key",
            rule="one_call_per_key",
        )


class KeyInUse(Conflict):
    """The call that brought this idempotency key is not answered yet."""

    type = "idempotency-key-in-use"

    def __init__(self) -> None:
        super().__init__(
            "The same call is being worked on. Ask again for its answer.",
            field="Idempotency-Key",
            rule="one_at_a_time",
        )


class NeedsOperator(RefundError):
    """A person must look. `reason` is one of `StatusReason`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class BytesDiffer(NeedsOperator):
    """Signed bytes say something else than what they are for; they must never be sent, and their wallet must stop."""

    def __init__(self, chain_name: str, differences: Sequence[str]) -> None:
        super().__init__("rail_stopped", f"The signed bytes on {chain_name} differ: {', '.join(differences)}.")
        self.differences = tuple(differences)


class TryAgain(RefundError):
    """Nothing is known for sure; the same call again is safe and may succeed."""

    def __init__(self, message: str, *, after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.after_seconds = after_seconds


class NotReady(TryAgain):
    """Asked too early; nothing is wrong."""


class AccessRefused(TryAgain):
    """A provider does not take our key; `cause` is one of `StopCause`. No refund is at fault: its rail stops."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


class FailureStored(TryAgain):
    """A provider repeats a failure that it stored for this request's key: the same request tells nothing new."""


class EndpointsDisagree(TryAgain):
    """Endpoints of one chain contradict each other on a fact; what lasts is for a person.

    `answers` says by the endpoint's place in the settings, from 1 on, what it told: never by its address, which may
    hold a key.
    """

    def __init__(self, chain_name: str, what: str, answers: Mapping[int, object]) -> None:
        told = ", ".join(f"endpoint {number} says {answer}" for number, answer in sorted(answers.items()))
        super().__init__(f"The endpoints of {chain_name} disagree on {what}: {told}.")
        self.what = what
        self.answers = {number: str(answer) for number, answer in answers.items()}
