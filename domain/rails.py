"""Why a rail stops by itself, and what a stopped one waits for."""

from enum import StrEnum


class RailWait(StrEnum):
    """Who must still say that a stopped rail may start."""

    TWO_PEOPLE = "two_people"
    SECOND_PERSON = "second_person"


class StopCause(StrEnum):
    """Why the service itself stopped a rail; a closed list, explained in the glossary."""

    KEY_REFUSED = "key_refused"
    MODE_DIFFERS = "mode_differs"
