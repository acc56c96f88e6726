"""For all tests: the long files first, so that no worker is left alone with one of them at the end."""

import pytest

LONG = ("test_invariants.py", "test_durability.py", "test_races.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    def is_short(item: pytest.Item) -> bool:
        return item.path.name not in LONG and item.get_closest_marker("stack") is None

    items.sort(key=is_short)
