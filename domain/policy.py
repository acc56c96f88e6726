"""The published refund policy as data: dated versions for the promise, current settings for the handling."""

from datetime import datetime, timedelta
from typing import Annotated, Any, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from domain.money import Currency
from domain.refunds import OwnershipLevel, invalid_request

Hours = Annotated[float, Field(gt=0, le=24 * 365)]
Seconds = Annotated[float, Field(gt=0, le=86400 * 365)]


class PolicyVersion(BaseModel):
    """The promise made to a customer who paid while this version was in force."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: str
    in_force_from: AwareDatetime
    window_days: Annotated[int, Field(ge=1, le=365)] = 14

    @property
    def window(self) -> timedelta:
        return timedelta(days=self.window_days)


class ApprovalLevel(BaseModel):
    """How many people must approve an amount up to `up_to_minor` of `currency`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency
    up_to_minor: Annotated[int, Field(ge=0)]
    approvals: Annotated[int, Field(ge=1, le=5)]


class ApproverLimit(BaseModel):
    """The largest amount that the role approver may approve; an admin may approve more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    currency: Currency
    up_to_minor: Annotated[int, Field(ge=0)]


class PolicySnapshot(BaseModel):
    """The waits of one run: what its timers need, fixed when the run begins."""

    model_config = ConfigDict(frozen=True)

    remind_hours: float = 24
    escalate_hours: float = 48
    customer_wait_days: float = 14
    orders_look_seconds: float = 900
    payout_look_seconds: tuple[float, ...] = (15, 60, 300, 900, 900, 900, 3600)
    watch_card_hours: tuple[float, ...] = (1, 24, 72, 168, 336, 720, 840)
    dispute_look_hours: float = 24
    watch_chain_seconds: float = 120


class Handling(BaseModel):
    """How refunds are handled today, whenever the deposit was paid."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock_skew_seconds: Annotated[int, Field(ge=0, le=3600)] = 300
    request_age_hours: Hours = 24
    ownership_accepted: tuple[OwnershipLevel, ...] = (
        OwnershipLevel.HELPDESK_ASSERTED,
        OwnershipLevel.OPERATOR_CONFIRMED,
    )
    confirmer_may_approve: bool = False
    approvals_default: Annotated[int, Field(ge=1, le=5)] = 1
    approvals: tuple[ApprovalLevel, ...] = ()
    approver_limits: tuple[ApproverLimit, ...] = ()
    remind_hours: Hours = 24
    escalate_hours: Hours = 48
    customer_wait_days: Annotated[float, Field(gt=0, le=365)] = 14
    orders_look_seconds: Seconds = 900
    payout_look_seconds: tuple[Seconds, ...] = (15, 60, 300, 900, 900, 900, 3600)
    wallet_block_seconds: Seconds = 2
    fee_raise_seconds: Seconds = 45
    """A chain payout at the head of the line gets a higher fee when it is in no block after this time, and ..."""
    fee_raise_blocks: Annotated[int, Field(ge=0, le=1000)] = 3
    """... after so many blocks since its newest bytes were first sent."""
    nonce_lost_seconds: Seconds = 600
    endpoints_disagree_seconds: Seconds = 300
    watch_card_hours: tuple[Hours, ...] = (1, 24, 72, 168, 336, 720, 840)
    dispute_look_hours: Hours = 24
    """So often a disputed card refund is looked at, besides every event that is told of."""
    watch_chain_seconds: Seconds = 120
    pay_deadline_days: Annotated[float, Field(gt=0, le=365)] = 14
    """In so many days from the request a refund shall be paid. Overdue it is escalated, and never ended."""

    def approvals_needed(self, amount_minor: int, currency: str) -> int:
        """Return how many people must approve: the smallest level that holds the amount, else the highest."""
        levels = sorted(
            (level for level in self.approvals if level.currency == currency),
            key=lambda level: level.up_to_minor,
        )
        for level in levels:
            if amount_minor <= level.up_to_minor:
                return level.approvals
        return max([self.approvals_default, *(level.approvals for level in levels)])

    def approver_limit_minor(self, currency: str) -> int | None:
        """Return up to what amount an approver may approve, None for any."""
        limits = [limit.up_to_minor for limit in self.approver_limits if limit.currency == currency]
        return min(limits) if limits else None

    def snapshot(self) -> PolicySnapshot:
        """Return what a run's timers need."""
        return PolicySnapshot.model_validate(self.model_dump())


class Policy(BaseModel):
    """The whole policy: `versions` judge a deposit by the day it was paid, `handling` says how."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    versions: Annotated[tuple[PolicyVersion, ...], Field(min_length=1)]
    handling: Handling = Handling()

    @classmethod
    def parse(cls, raw: Any) -> "Policy":
        """Read the policy file's content; raise `InvalidRequest` naming the field and the rule."""
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            raise invalid_request(error, whole="policy") from None

    @model_validator(mode="after")
    def _versions_differ(self) -> Self:
        names = [version.version for version in self.versions]
        starts = [version.in_force_from for version in self.versions]
        if len(set(names)) < len(names) or len(set(starts)) < len(starts):
            raise ValueError("two versions may share neither their name nor the moment they come into force")
        return self

    def knows(self, terms_version: str) -> bool:
        """Tell whether a feed may name this version."""
        return any(version.version == terms_version for version in self.versions)

    def version_for(self, paid_at: datetime, terms_version: str | None = None) -> PolicyVersion:
        """Return the version that judges a deposit: the one its feed names, else the one in force when paid.

        A deposit older than every version is judged by the oldest.
        """
        ordered = sorted(self.versions, key=lambda version: version.in_force_from)
        for version in ordered:
            if version.version == terms_version:
                return version
        in_force = [version for version in ordered if version.in_force_from <= paid_at]
        return in_force[-1] if in_force else ordered[0]
