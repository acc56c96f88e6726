"""Records the histories of the main paths: `make history` adds a folder, and never changes one that is there."""

import asyncio
import json
import logging
import sys
import tempfile
from pathlib import Path
from typing import Any

from temporalio.client import WorkflowHistory

from ledger.database import Database
from tests.workflows.house import Clock, House, make_policy, time_skipping_server, write_ledger
from tests.workflows.paths import PATHS, Play

HISTORIES = Path(__file__).parent.parent / "histories"


async def record(play: Play, folder: Path) -> WorkflowHistory:
    """Play one path in a house of its own, as the code of this moment does it, and return the history it left."""
    path = folder / "refunds.sqlite"
    write_ledger(path)
    clock = Clock()
    database = Database(f"sqlite:///{path}", clock)
    try:
        async with time_skipping_server() as env:
            house = House(database, clock, make_policy(), env)
            async with house.worker():
                workflow = await play(house)
                return await env.client.get_workflow_handle(workflow).fetch_history()
    finally:
        database.close()


def next_folder() -> Path:
    """Name the folder of this recording: one more than the last."""
    numbers = [int(it.name) for it in HISTORIES.iterdir() if it.name.isdecimal()] if HISTORIES.is_dir() else []
    return HISTORIES / f"{max(numbers, default=0) + 1:04}"


def without_traces_of_the_machine(value: Any) -> Any:
    """Return a history without stack traces and host names, which replay does not read."""
    if isinstance(value, dict):
        kept = {key: without_traces_of_the_machine(it) for key, it in value.items() if key != "stackTrace"}
        return kept | ({"identity": "recorded"} if "identity" in kept else {})
    if isinstance(value, list):
        return [without_traces_of_the_machine(it) for it in value]
    return value


def main() -> None:
    """Record every path, or those named on the command line; write nothing before all of them were played."""
    logging.disable(logging.ERROR)  # the paths are full of failures that are meant
    names = sys.argv[1:] or list(PATHS)
    unknown = sorted(set(names) - set(PATHS))
    if unknown:
        sys.exit(f"There is no path {', '.join(unknown)}. There are: {', '.join(PATHS)}.")
    recorded: dict[str, WorkflowHistory] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            recorded[name] = asyncio.run(record(PATHS[name], Path(folder)))
        print(f"{name}: {len(recorded[name].events)} events")  # noqa: T201 - this program reports to a terminal
    target = next_folder()
    target.mkdir(parents=True)
    for name, history in recorded.items():
        events = without_traces_of_the_machine(json.loads(history.to_json()))
        # Every other server writes the id into the first event; the one that skips time does not.
        events["events"][0]["workflowExecutionStartedEventAttributes"]["workflowId"] = history.workflow_id
        (target / f"{name}.json").write_text(json.dumps(events, separators=(",", ":"), ensure_ascii=False) + "\n")
    print(f"{len(recorded)} histories are in {target.relative_to(Path.cwd())}")  # noqa: T201 - as above


if __name__ == "__main__":
    main()
