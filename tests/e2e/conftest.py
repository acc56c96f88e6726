"""One whole local stack for all end-to-end tests: every part real, every part a process of its own."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from devstack.demo.stories import STORIES, Story, Told
from devstack.demo.town import Town
from devstack.stack import Stack

COMMAND_SECONDS_MAX = 30

Command = Callable[..., Any]


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with Stack(tmp_path_factory.mktemp("stack")) as stack:
        yield stack


@pytest.fixture(scope="session")
def town(stack: Stack) -> Iterator[Town]:
    town = Town(stack.info, stack.kill)
    yield town
    town.close()


@pytest.fixture(scope="session")
def told(town: Town) -> dict[Story, Future[Told]]:
    """Play every story of the demo once, all at the same time; return how each went."""
    with ThreadPoolExecutor(len(STORIES)) as pool:
        return {story: pool.submit(story.play, town) for story in STORIES}


@pytest.fixture(scope="session")
def temporal(stack: Stack) -> Command:
    """Call the `temporal` command line as an engineer would; return its JSON, or its text."""

    def call(*words: str, as_json: bool = True) -> Any:
        output = ["--output", "json"] if as_json else []
        command = [
            str(Path(sys.executable).parent / "temporal"),
            *words,
            "--address",
            stack.info["temporal"],
            *output,
        ]
        done = subprocess.run(  # noqa: S603
            command, check=False, capture_output=True, text=True, timeout=COMMAND_SECONDS_MAX
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if as_json and done.stdout.strip() else done.stdout

    return call
