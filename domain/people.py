"""Who calls, and what they may do."""

from enum import StrEnum


class Role(StrEnum):
    """What a caller may do; operators are viewer, approver and admin."""

    BILLING = "billing"
    HELPDESK = "helpdesk"
    VIEWER = "viewer"
    APPROVER = "approver"
    ADMIN = "admin"


DECIDING = frozenset([Role.APPROVER, Role.ADMIN])
OPERATORS = frozenset([Role.VIEWER, Role.APPROVER, Role.ADMIN])
