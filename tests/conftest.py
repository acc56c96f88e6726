"""For all tests: who runs what and in which order, and no time lost on looking for garbage where there is none."""

import gc
from collections.abc import Generator

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

LONG = ("test_invariants.py", "test_durability.py", "test_races.py")
# Each of these folders has one stack, or more, for all of its files: a second worker would start it once more.
ONE_STACK = ("tests/e2e", "tests/fuzz", "tests/outages")


class _ByStack(LoadFileScheduling):
    """Deals out files, and those that share a stack together."""

    def _split_scope(self, nodeid: str) -> str:
        folder = nodeid.split("::", 1)[0].rpartition("/")[0]
        return folder if folder in ONE_STACK else super()._split_scope(nodeid)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadFileScheduling | None:
    return _ByStack(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """What is collected stays until the end; to walk through it again and again takes a second each time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files first, so that no worker is left alone with one of them at the end."""

    def is_short(item: pytest.Item) -> bool:
        return item.path.name not in LONG and item.get_closest_marker("stack") is None

    items.sort(key=is_short)
