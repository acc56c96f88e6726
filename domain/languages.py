"""Chooses the language that a customer reads, and says a sentence in it."""

from collections.abc import Iterable
from enum import StrEnum

from domain.wording import chinese, english

CATALOGS = {"en": english.SENTENCES, "zh-Hans": chinese.SENTENCES}


class Language(StrEnum):
    """The languages that we write, by their tags (BCP 47)."""

    ENGLISH = "en"
    SIMPLIFIED_CHINESE = "zh-Hans"


OTHERS = tuple(language for language in Language if language != Language.ENGLISH)

# Chinese without a script is written with simplified characters in these places; elsewhere, and where the
# script says traditional, English is the safer choice (likely subtags of Unicode's CLDR).
_SIMPLIFIED = frozenset(["zh", "zh-cn", "zh-sg", "zh-my"])


def language_of(locale: str) -> Language:
    """Return the language for a locale such as `zh-CN`, `zh_Hans_SG` or `de`; English where we write no other."""
    tag = locale.replace("_", "-").lower()
    is_simplified = tag in _SIMPLIFIED or tag == "zh-hans" or tag.startswith("zh-hans-")
    return Language.SIMPLIFIED_CHINESE if is_simplified else Language.ENGLISH


def is_said(name: str) -> bool:
    """Tell whether there is a sentence called `name`."""
    return name in CATALOGS[Language.ENGLISH]


def say(language: Language, name: str, **words: object) -> str:
    """Return the sentence called `name`, with `words` in their places; `KeyError` where there is none."""
    return CATALOGS[language][name].format(**words)


def joined(language: Language, sentences: Iterable[str]) -> str:
    """Put sentences behind one another; Chinese leaves no space between them."""
    return ("" if language == Language.SIMPLIFIED_CHINESE else " ").join(sentences)


def say_in_others(name: str, **words: object) -> dict[str, str]:
    """Return the sentence in every language but English, by language."""
    return {language.value: say(language, name, **words) for language in OTHERS}
