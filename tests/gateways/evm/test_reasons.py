"""Every reason that a deposit can give is said in each language, and operators are told what to do about it."""

from pathlib import Path

import pytest

from domain.languages import CATALOGS
from gateways.evm import reasons

CODES = sorted(value for name, value in vars(reasons).items() if name.isupper())


@pytest.mark.parametrize("code", CODES)
def test_every_reason_has_a_sentence_in_each_language_and_a_place_in_the_manual(code: str) -> None:
    manual = Path(__file__).parents[3] / "docs" / "crypto.md"

    assert [language for language, sentences in CATALOGS.items() if code not in sentences] == []
    assert f"`{code}`" in manual.read_text(encoding="utf-8")
