"""Steps that run in threads: nothing is thrown into them from outside."""

import importlib
import inspect
import pkgutil

import activities


def definitions() -> dict[str, object]:
    """Collect what Temporal knows of every step that is no coroutine, by the step's name."""
    modules = [importlib.import_module(f"activities.{it.name}") for it in pkgutil.iter_modules(activities.__path__)]
    owners = [owner for module in modules for _, owner in inspect.getmembers(module, inspect.isclass)]
    steps = [step for owner in owners for _, step in inspect.getmembers(owner, inspect.isfunction)]
    known = {step.__name__: getattr(step, "__temporal_activity_definition", None) for step in steps}
    return {name: it for name, it in known.items() if it is not None and not it.is_async}


def test_a_cancelled_step_is_not_broken_off_in_the_middle_of_a_transaction() -> None:
    found = definitions()

    assert {"pump", "send_card_refund"} <= set(found)
    assert [name for name, it in found.items() if not getattr(it, "no_thread_cancel_exception", False)] == []
