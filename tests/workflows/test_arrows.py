"""No arrow of the diagram without a test that walks it."""

from importlib import import_module
from pathlib import Path

from domain.refunds import ARROWS
from tests.workflows.arrows import WALKED


def test_every_arrow_of_the_diagram_is_walked_by_some_test() -> None:
    for path in Path(__file__).parent.glob("test_*.py"):
        import_module(f"tests.workflows.{path.stem}")

    arrows = {(source, target) for source, targets in ARROWS.items() for target in targets}

    assert arrows - set(WALKED) == set()
    assert set(WALKED) <= arrows
