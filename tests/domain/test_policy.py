"""Dated promises, and how refunds are handled today."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import InvalidRequest
from domain.policy import Handling, Policy

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
JULY = datetime(2026, 7, 1, tzinfo=UTC)
VERSIONS = [
    {"version": "summer", "in_force_from": JULY, "window_days": 7},  # out of order on purpose
    {"version": "winter", "in_force_from": JANUARY, "window_days": 14},
]
POLICY = Policy.model_validate({"versions": VERSIONS})


@pytest.mark.parametrize(
    ("paid_at", "named", "version"),
    [
        pytest.param(JANUARY - timedelta(days=900), None, "winter", id="older than every version"),
        pytest.param(JANUARY, None, "winter", id="the moment the first comes into force"),
        pytest.param(JULY - timedelta(microseconds=1), None, "winter", id="a moment before the second"),
        pytest.param(JULY, None, "summer", id="the moment the second comes into force"),
        pytest.param(JULY + timedelta(days=900), None, "summer", id="long after"),
        pytest.param(JULY, "winter", "winter", id="the feed names an older one"),
        pytest.param(JANUARY, "summer", "summer", id="the feed names a later one"),
        pytest.param(JULY, "forgotten", "summer", id="a name no longer in the file"),
    ],
)
def test_a_deposit_is_judged_by_the_version_its_feed_names_or_the_one_in_force(
    paid_at: datetime, named: str | None, version: str
) -> None:
    assert POLICY.version_for(paid_at, named).version == version


@pytest.mark.parametrize(("name", "is_known"), [("winter", True), ("Winter", False), ("", False)])
def test_a_feed_may_name_only_versions_of_the_policy(name: str, is_known: bool) -> None:
    assert POLICY.knows(name) is is_known


LEVELS = Handling.model_validate(
    {
        "approvals_default": 1,
        "approvals": [
            {"currency": "USD", "up_to_minor": 100_000, "approvals": 2},
            {"currency": "USD", "up_to_minor": 10_000, "approvals": 1},
            {"currency": "JPY", "up_to_minor": 500, "approvals": 3},
        ],
        "approver_limits": [
            {"currency": "USD", "up_to_minor": 9_000},
            {"currency": "USD", "up_to_minor": 5_000},
        ],
    }
)


@pytest.mark.parametrize(
    ("amount_minor", "currency", "approvals"),
    [
        pytest.param(10_000, "USD", 1, id="at the top of the first level"),
        pytest.param(10_001, "USD", 2, id="a cent above it"),
        pytest.param(100_000, "USD", 2, id="at the top of the last level"),
        pytest.param(100_001, "USD", 2, id="above every level: the strictest"),
        pytest.param(501, "JPY", 3, id="above the only level of another currency"),
        pytest.param(10**9, "EUR", 1, id="a currency without levels"),
    ],
)
def test_larger_amounts_need_more_people(amount_minor: int, currency: str, approvals: int) -> None:
    assert LEVELS.approvals_needed(amount_minor, currency) == approvals


def test_above_a_mild_level_the_default_still_holds() -> None:
    handling = Handling.model_validate(
        {"approvals_default": 3, "approvals": [{"currency": "USD", "up_to_minor": 100, "approvals": 1}]}
    )

    assert [handling.approvals_needed(amount, "USD") for amount in (100, 101)] == [1, 3]


@pytest.mark.parametrize(("currency", "limit"), [("USD", 5_000), ("EUR", None)])
def test_an_approver_has_the_lowest_limit_named_for_the_currency(currency: str, limit: int | None) -> None:
    assert LEVELS.approver_limit_minor(currency) == limit


@pytest.mark.parametrize(
    ("raw", "field"),
    [
        pytest.param({}, "versions", id="no versions"),
        pytest.param({"versions": []}, "versions", id="an empty list"),
        pytest.param({"versions": VERSIONS, "colour": "red"}, "colour", id="an unknown setting"),
        pytest.param(
            {"versions": VERSIONS, "handling": {"typo": 1}}, "handling.typo", id="an unknown way of handling"
        ),
        pytest.param(
            {"versions": [{"version": "x", "in_force_from": "2026-01-01T00:00:00"}]},
            "versions.0.in_force_from",
            id="a time without a zone",
        ),
        pytest.param(
            {"versions": [{"version": "x", "in_force_from": JANUARY, "window_days": 0}]},
            "versions.0.window_days",
            id="a promise of no days",
        ),
        pytest.param(
            {"versions": VERSIONS, "handling": {"approvals_default": 0}},
            "handling.approvals_default",
            id="no approval",
        ),
        pytest.param(
            {"versions": VERSIONS, "handling": {"clock_skew_seconds": 3601}},
            "handling.clock_skew_seconds",
            id="an hour of skew and more",
        ),
        pytest.param({"versions": [VERSIONS[0], VERSIONS[0]]}, "policy", id="two versions of one name"),
        pytest.param(
            {"versions": [VERSIONS[0], VERSIONS[1] | {"in_force_from": JULY}]}, "policy", id="two of one moment"
        ),
        pytest.param("a text", "policy", id="no table at all"),
    ],
)
def test_a_policy_file_that_is_wrong_names_the_field(raw: Any, field: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        Policy.parse(raw)

    assert refusal.value.field == field


def test_the_snapshot_of_a_run_carries_the_policy_s_waits() -> None:
    handling = Handling.model_validate({"remind_hours": 1.5, "payout_look_seconds": [1, 2]})

    snapshot = handling.snapshot()

    assert (snapshot.remind_hours, snapshot.payout_look_seconds) == (1.5, (1, 2))
