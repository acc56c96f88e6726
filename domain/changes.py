"""What was changed: one committed line of the audit trail, as logs and counters are told of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Change:
    """One change that is committed. `detail` holds ids, codes and amounts, as the audit trail does."""

    event: str
    actor: str
    refund_id: str | None = None
    subject: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)


Listener = Callable[[Change], None]
