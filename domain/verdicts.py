"""The explained answer of the policy: every rule with its outcome, its reason and the facts it read."""

from collections.abc import Sequence
from enum import StrEnum

from pydantic import BaseModel, ConfigDict

from domain.refunds import StatusReason


class Outcome(StrEnum):
    """What one rule, or all together, say."""

    PASS = "pass"  # noqa: S105 - the word of the verdict, not a password
    FAIL = "fail"
    WAIT = "wait"
    REVIEW = "review"


class Rule(StrEnum):
    """The rules, in the order in which they are told."""

    WINDOW = "window"
    UNUSED = "unused"
    SETTLED = "settled"
    CLEAN = "clean"
    ROUTE = "route"


Fact = str | int | bool | None


class RuleResult(BaseModel):
    """One rule's outcome. `code` is the closed name of the reason, `reason` the same in words."""

    model_config = ConfigDict(frozen=True)

    rule: Rule
    outcome: Outcome
    code: str
    reason: str
    reasons: dict[str, str] = {}
    """The reason in our other languages, by language tag."""
    facts: dict[str, Fact] = {}
    moving_facts: dict[str, Fact] = {}
    """What changes by itself while a refund waits (a block height); shown, never part of the digest."""


class Verdict(BaseModel):
    """All rules together. `destination` is where a payout would go: derived, never given by anyone."""

    model_config = ConfigDict(frozen=True)

    policy_version: str
    outcome: Outcome
    rules: tuple[RuleResult, ...]
    destination: str | None = None

    def result(self, rule: Rule) -> RuleResult:
        """Return one rule's result."""
        return next(result for result in self.rules if result.rule == rule)

    @property
    def to_acknowledge(self) -> tuple[str, ...]:
        """Name what an approver must have read: the codes of all rules under review."""
        return tuple(
            code for result in self.rules if result.outcome == Outcome.REVIEW for code in result.code.split(",")
        )

    @property
    def failed_reason(self) -> StatusReason:
        """Name the first failed rule as the refund's reason."""
        first = next(result for result in self.rules if result.outcome == Outcome.FAIL)
        return StatusReason(f"{first.rule}_failed")


def combine(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome of many: one failure decides; waiting comes before judging."""
    for outcome in (Outcome.FAIL, Outcome.WAIT, Outcome.REVIEW):
        if outcome in outcomes:
            return outcome
    return Outcome.PASS
