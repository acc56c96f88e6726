"""Each sentence exists in each language with the same words in its places, and the customer reads their own."""

import string

import pytest

from domain.languages import CATALOGS, Language, language_of, say
from domain.messages import write_message
from domain.money import Money
from domain.refunds import RefundStatus, StatusReason
from domain.verdicts import Outcome
from tests.domain.deposits import CARD, judge


def places(sentence: str) -> list[str]:
    """Name the words that a sentence leaves open."""
    return sorted(name for _, name, _, _ in string.Formatter().parse(sentence) if name is not None)


@pytest.mark.parametrize("language", Language)
def test_every_sentence_is_written_in_every_language_with_the_same_words_in_it(language: Language) -> None:
    english, other = CATALOGS[Language.ENGLISH], CATALOGS[language]

    assert other.keys() == english.keys()
    assert [name for name in english if places(other[name]) != places(english[name])] == []
    assert [name for name, sentence in other.items() if not sentence.strip()] == []


def test_chinese_sentences_are_chinese_with_chinese_punctuation() -> None:
    sentences = CATALOGS[Language.SIMPLIFIED_CHINESE].values()

    assert [it for it in sentences if not any("\u4e00" <= letter <= "\u9fff" for letter in it)] == []
    assert [it for it in sentences if set(it) & set(",;:!?")] == []


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("en", Language.ENGLISH),
        ("zh", Language.SIMPLIFIED_CHINESE),
        ("zh-CN", Language.SIMPLIFIED_CHINESE),
        ("zh_SG", Language.SIMPLIFIED_CHINESE),
        ("zh-Hans", Language.SIMPLIFIED_CHINESE),
        ("ZH-hans-CN", Language.SIMPLIFIED_CHINESE),
        ("zh-Hans-HK", Language.SIMPLIFIED_CHINESE),
        ("zh-TW", Language.ENGLISH),
        ("zh-Hant", Language.ENGLISH),
        ("zh-Hant-CN", Language.ENGLISH),
        ("zha", Language.ENGLISH),
        ("de", Language.ENGLISH),
    ],
)
def test_a_locale_reads_the_language_that_its_people_read(locale: str, language: Language) -> None:
    assert language_of(locale) == language


@pytest.mark.parametrize(
    "facts", [{}, {"charged_minor": 50, "charged_orders": 1}, {"pending_minor": 50, "pending_orders": 3}], ids=str
)
def test_each_rule_says_its_reason_in_every_language(facts: dict[str, int]) -> None:
    for result in judge(CARD, **facts).rules:
        assert result.reasons.keys() == {Language.SIMPLIFIED_CHINESE}
        assert "{" not in result.reason + result.reasons[Language.SIMPLIFIED_CHINESE]
        assert result.reason != result.reasons[Language.SIMPLIFIED_CHINESE]


def test_a_refusal_tells_the_customer_the_reason_in_their_own_language() -> None:
    verdict = judge(CARD, charged_minor=50, charged_orders=1)
    assert verdict.outcome == Outcome.FAIL

    said = message(Language.SIMPLIFIED_CHINESE, RefundStatus.INELIGIBLE, None, verdict=verdict)

    first = say(Language.SIMPLIFIED_CHINESE, "cannot_be_refunded")
    used = say(Language.SIMPLIFIED_CHINESE, "used_by_one", used="0.50 USD")
    assert said == f"{first} {used}"


def test_a_verdict_from_before_a_language_was_written_says_its_reason_in_english() -> None:
    verdict = judge(CARD, charged_minor=50, charged_orders=1)
    old = verdict.model_copy(update={"rules": tuple(it.model_copy(update={"reasons": {}}) for it in verdict.rules)})

    said = message(Language.SIMPLIFIED_CHINESE, RefundStatus.INELIGIBLE, None, verdict=old)

    assert said is not None
    assert "used by one order" in said


@pytest.mark.parametrize("rail", ["card", "crypto"])
def test_a_paid_refund_names_amount_and_reference_in_every_language(rail: str) -> None:
    for language in Language:
        said = message(language, RefundStatus.REFUNDED, StatusReason.PAID, rail=rail)

        assert said is not None
        assert "20.00 USD" in said
        assert "re_1" in said


def message(language: Language, status: RefundStatus, reason: StatusReason | None, **more: object) -> str | None:
    told = {
        "rail": "card",
        "amount": Money(amount_minor=2000, currency="USD"),
        "verdict": None,
        "destination": "0xabc",
        "reference": "re_1",
        "duplicate_of": None,
    }
    return write_message(language=language, status=status, reason=reason, **(told | more))  # type: ignore[arg-type]  # a dict of mixed values
