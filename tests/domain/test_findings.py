"""Whatever is found has something that a person may do about it."""

import pytest

from domain.differences import DifferenceKind
from domain.findings import ADVICE, FindingKind, Remedy, remedies


@pytest.mark.parametrize("kind", DifferenceKind, ids=str)
def test_every_difference_of_a_reconciliation_is_a_kind_of_finding(kind: DifferenceKind) -> None:
    assert FindingKind(kind)


@pytest.mark.parametrize("kind", FindingKind, ids=str)
def test_every_kind_has_more_to_do_about_it_than_closing_it(kind: FindingKind) -> None:
    offered = remedies(kind)

    assert offered[-1] == Remedy.CLOSE
    assert len(offered) > 1
    assert len(set(offered)) == len(offered)


def test_every_remedy_is_explained_and_offered_somewhere() -> None:
    assert ADVICE.keys() == set(Remedy)
    assert {remedy for kind in FindingKind for remedy in remedies(kind)} == set(Remedy)
