"""Starts the stack in a temporary folder, plays the stories at the same time, and prints one table."""

import os
import shutil
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, ProgressColumn, SpinnerColumn, Task, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from devstack.demo.stories import AFTERWARDS, STORIES, Story, Told
from devstack.demo.town import DemoFailedError, Town
from devstack.plan import ROOT
from devstack.stack import Stack, StackError

WIDTH_DEFAULT = 100  # columns, where no terminal says how wide it is


def play() -> int:
    """Play every story; return 0 if all went as promised, 1 if one did not, 3 if the stack did not start."""
    talk = Console(stderr=True)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="refunds-demo-") as folder:
        try:
            with talk.status("starting Temporal, a chain, a Stripe simulator, the API and a worker …"):
                stack = Stack(Path(folder), {**os.environ, "REFUNDS_POLICY": str(_hurried_policy(Path(folder)))})
                stack.start()
        except StackError as error:
            talk.print(f"The local stack did not start: {error}")
            return 3
        try:
            talk.print(f"The stack is up after {_seconds(time.monotonic() - started)}.")
            results = _play_all(Town(stack.info, stack.kill), talk)
        finally:
            stack.stop()
    _print(results, time.monotonic() - started)
    return 0 if all(isinstance(told, Told) for _, told, _ in results) else 1


Result = tuple[Story, Told | Exception, float]


def _play_all(town: Town, talk: Console) -> list[Result]:
    """Play the stories side by side, as refunds happen in life; show who is still under way."""
    columns = (SpinnerColumn(finished_text="✓"), TextColumn("{task.description}"), _Elapsed())
    with Progress(*columns, console=talk) as progress, ThreadPoolExecutor(len(STORIES)) as pool:

        def follow(story: Story, task: TaskID) -> Result:
            began = time.monotonic()
            try:
                told: Told | Exception = story.play(town)
            except DemoFailedError as error:
                told = error
            progress.update(task, completed=1)
            return story, told, time.monotonic() - began

        tasks = [progress.add_task(story.asked, total=1) for story in STORIES]
        results = list(pool.map(follow, STORIES, tasks))
        results += [follow(story, progress.add_task(story.asked, total=1)) for story in AFTERWARDS]
    town.close()
    return results


def _hurried_policy(folder: Path) -> Path:
    """Write the published policy with a fee that is raised after seconds: nobody watches a demo for a minute."""
    hurried = folder / "policy.toml"
    published = (ROOT / "policy.toml").read_text(encoding="utf-8")
    hurried.write_text(f"{published}fee_raise_seconds = 2\nfee_raise_blocks = 2\n")
    return hurried


def _print(results: list[Result], seconds: float) -> None:
    """Print the table that the demo is for."""
    table = Table(title="Refunds on real local parts", show_lines=True)
    for heading in ("asked", "happened", "where the money is", "took"):
        table.add_column(heading, overflow="fold")
    for story, told, took in results:
        happened, money = (told.happened, told.money) if isinstance(told, Told) else ("FAILED", str(told))
        table.add_row(story.asked, happened, money, _seconds(took))
    console = Console(file=sys.stdout, width=_width())
    console.print(table)
    console.print(
        "The money is read from the Stripe simulator's ledger and from chain balances, not from our database."
    )
    console.print(f"Everything together took {_seconds(seconds)}.")


class _Elapsed(ProgressColumn):
    """How long a story has taken, written as in the table."""

    def render(self, task: Task) -> Text:
        return Text(_seconds(task.finished_time or task.elapsed or 0))


def _seconds(taken: float) -> str:
    return f"{taken:.1f} s"


def _width() -> int:
    """Return the terminal's width, which COLUMNS overrides."""
    return shutil.get_terminal_size((WIDTH_DEFAULT, 0)).columns
