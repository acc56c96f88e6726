"""The tree of errors is the one that its docstring draws."""

import re

import pytest

from domain import errors
from domain.errors import InvalidRequest, NotFound, RefundError, Refused, WrongState


def drawn() -> dict[str, str | None]:
    """Read class → parent off the drawing; the depth of a name is where it stands in its line."""
    parents: dict[str, str | None] = {}
    path: list[tuple[int, str]] = []
    for line in (errors.__doc__ or "").splitlines():
        found = re.search(r"^[│├└─ ]*([A-Z][A-Za-z]+)", line)
        if found is None or not (found.group(1) == "RefundError" or "──" in line):
            continue
        depth, name = found.start(1), found.group(1)
        path = [(at, above) for at, above in path if at < depth]
        parents[name] = path[-1][1] if path else None
        path.append((depth, name))
    return parents


def defined() -> dict[str, str | None]:
    found: dict[str, str | None] = {"RefundError": None}
    open_ones: list[type[RefundError]] = [RefundError]
    while open_ones:
        parent = open_ones.pop()
        for child in parent.__subclasses__():
            if child.__module__ == errors.__name__:
                found[child.__name__] = parent.__name__
                open_ones.append(child)
    return found


def test_the_drawn_tree_is_the_tree_of_classes() -> None:
    assert drawn() == defined()
    assert len(drawn()) > 10


def test_every_refusal_has_a_problem_type_of_its_own() -> None:
    refusals = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, Refused)]

    types = [refusal.type for refusal in refusals]

    assert len(set(types)) == len(types)


@pytest.mark.parametrize(
    ("error", "field", "rule", "words"),
    [
        pytest.param(
            InvalidRequest("rail", "one_of", "must be a rail"), "rail", "one_of", "rail: must be", id="field"
        ),
        pytest.param(NotFound("refund", "rf_1"), "refund", "exists", "no refund 'rf_1'", id="not found"),
        pytest.param(
            WrongState("take the decision to approve", "refunded"),
            "status",
            "decidable",
            "This refund is refunded; only one that is awaiting_approval can be decided.",
            id="not decidable",
        ),
        pytest.param(
            WrongState("be withdrawn", "paying"),
            "status",
            "withdrawable",
            "only one that is checking, awaiting_ownership, awaiting_orders or awaiting_approval can be withdrawn.",
            id="not withdrawable",
        ),
        pytest.param(
            WrongState("have its ownership confirmed", "paying"),
            "status",
            "confirmable",
            "awaiting_ownership can",
            id="not confirmable",
        ),
        pytest.param(
            WrongState("be resolved by retry", "paying"),
            "status",
            "resolvable",
            "needs_attention can be resolved.",
            id="not resolvable",
        ),
    ],
)
def test_an_error_writes_its_own_sentence_and_names_field_and_rule(
    error: Refused, field: str, rule: str, words: str
) -> None:
    assert (error.field, error.rule) == (field, rule)
    assert words in error.message
