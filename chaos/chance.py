"""Chance that a seed decides: the same names give the same number, in any process and in any order."""

import hashlib
import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")
_DIGEST_BYTES = 8


def draw(*names: object) -> float:
    """Return a number from 0 up to, not including, 1."""
    digest = hashlib.blake2b("/".join(map(str, names)).encode(), digest_size=_DIGEST_BYTES).digest()
    return int.from_bytes(digest) / float(256**_DIGEST_BYTES)


def choose(options: Sequence[T], *names: object) -> T:
    """Return one of the options."""
    return options[int(draw(*names) * len(options))]


def shuffled(options: Sequence[T], *names: object) -> list[T]:
    """Return all options in another order."""
    mixed = list(options)
    random.Random("/".join(map(str, names))).shuffle(mixed)  # noqa: S311 - a seed that can be repeated is the point
    return mixed
