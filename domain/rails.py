"""What a stopped rail waits for."""

from enum import StrEnum


class RailWait(StrEnum):
    """Who must still say that a stopped rail may start."""

    TWO_PEOPLE = "two_people"
    SECOND_PERSON = "second_person"
