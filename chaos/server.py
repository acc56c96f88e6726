"""The product's API with a planted mistake, and the stack that starts it in place of the real one."""

import os
import sys
from dataclasses import replace
from pathlib import Path

from devstack import stack
from devstack.plan import Plan
from devstack.processes import Program


class PlantedPlan(Plan):
    """A stack whose API makes the mistake that `CHAOS_BUG` names, as its workers do."""

    def _plan_api(self, api: str) -> Program:
        real = super()._plan_api(api)
        planted = {"CHAOS_BUG": os.environ["CHAOS_BUG"]}
        command = (sys.executable, "-P", "-m", "chaos.server")
        return replace(real, command=command, environment={**real.environment, **planted})


def planted_stack(folder: Path, environment: dict[str, str], bug: str) -> stack.Stack:
    """Make a stack, not started yet; every stack that this process starts from now on is planted."""
    os.environ["CHAOS_BUG"] = bug
    setattr(stack, "Plan", PlantedPlan)  # noqa: B010 - mypy
    return stack.Stack(folder, environment, runs_worker=False)


if __name__ == "__main__":
    # The product is loaded where it serves, and nowhere else.
    from chaos import bugs
    from cli.main import main

    bugs.plant(os.environ["CHAOS_BUG"])
    sys.argv = ["refunds", "serve"]
    main()
