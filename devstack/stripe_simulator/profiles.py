"""Profiles: how much Stripe itself guards against mistakes of its caller."""

from enum import StrEnum

from devstack.stripe_simulator.store import Tables

SETTING = "profile"


class Profile(StrEnum):
    """`permissive` has neither the guard against over-refunds nor a memory of idempotency keys.

    With it a test sees whether our own guards hold by themselves, for example after a key was forgotten.
    """

    FAITHFUL = "faithful"
    PERMISSIVE = "permissive"


def current_profile(tables: Tables) -> Profile:
    """Say which profile is on."""
    return Profile(tables.setting(SETTING, Profile.FAITHFUL))


def is_permissive(tables: Tables) -> bool:
    """Whether the guards are off."""
    return current_profile(tables) is Profile.PERMISSIVE
