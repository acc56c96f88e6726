"""The retry profiles, as far as they promise something to all steps alike."""

import pytest

from activities.heartbeats import HEARTBEAT_SECONDS
from workflows import policies

PROFILES = {name: value for name, value in vars(policies).items() if name.isupper() and isinstance(value, dict)}


def test_there_are_profiles_to_look_at() -> None:
    assert {"LEDGER", "READ", "MONEY", "PUMP", "ANSWER"} <= PROFILES.keys()


@pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES.keys())
def test_a_dead_worker_is_noticed_in_seconds_whatever_step_it_was_at(profile: policies.Profile) -> None:
    noticed_after = profile["heartbeat_timeout"].total_seconds()

    assert 3 * HEARTBEAT_SECONDS <= noticed_after <= 10
    assert noticed_after < profile["start_to_close_timeout"].total_seconds()
