"""What recorded decisions mean together."""

import pytest

from domain.decisions import Action, Decision, Standing, weigh

NOW = "sha256:" + "a" * 64
BEFORE = "sha256:" + "b" * 64

Told = tuple[str, str, str]  # operator, action, digest


@pytest.mark.parametrize(
    ("told", "needed", "standing"),
    [
        pytest.param([], 1, Standing.UNDECIDED, id="nobody decided"),
        pytest.param([("ann", "approve", NOW)], 1, Standing.APPROVED, id="one of one"),
        pytest.param([("ann", "approve", NOW)], 2, Standing.UNDECIDED, id="one of two"),
        pytest.param([("ann", "approve", NOW), ("bob", "approve", NOW)], 2, Standing.APPROVED, id="two of two"),
        pytest.param(
            [("ann", "approve", NOW), ("ann", "approve", NOW)], 2, Standing.UNDECIDED, id="one person twice is one"
        ),
        pytest.param(
            [("ann", "approve", BEFORE), ("bob", "approve", NOW)], 2, Standing.UNDECIDED, id="one of an old digest"
        ),
        pytest.param([("ann", "reject", NOW)], 2, Standing.REJECTED, id="one rejection is enough"),
        pytest.param([("ann", "reject", BEFORE)], 1, Standing.UNDECIDED, id="a rejection of an old digest"),
        pytest.param(
            [("ann", "approve", NOW), ("bob", "reject", NOW)],
            2,
            Standing.REJECTED,
            id="rejected before enough approved",
        ),
        pytest.param(
            [("ann", "approve", NOW), ("bob", "reject", NOW)], 1, Standing.APPROVED, id="approved before rejected"
        ),
        pytest.param(
            [("bob", "reject", NOW), ("ann", "approve", NOW)], 1, Standing.REJECTED, id="rejected before approved"
        ),
    ],
)
def test_the_first_that_settles_the_matter_settles_it(told: list[Told], needed: int, standing: Standing) -> None:
    decisions = [
        Decision(decision_id=f"d{number}", operator=operator, action=Action(action), digest=digest)
        for number, (operator, action, digest) in enumerate(told)
    ]

    assert weigh(decisions, digest=NOW, approvals_needed=needed) == standing
