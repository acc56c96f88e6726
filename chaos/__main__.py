"""`make chaos RAIL=card N=100 SEED=7`, one line at its end; exit 0 all holds, 1 broken, 3 vacuous, 4 no verdict."""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from chaos.campaign import REST_SECONDS_MAX, Campaign, Result
from chaos.workers import ROOT
from chaos.world import RAILS, Options

EXIT_HOLDS, EXIT_BROKEN, EXIT_VACUOUS, EXIT_TROUBLE = 0, 1, 3, 4
SECONDS_MAX = 700.0
SECONDS_EACH_MAX = 2.0
BREACHES_TOLD_MAX = 30


class TooLong(Exception):
    """The run did not end by itself."""


def main() -> int:
    """Read the options, run, tell."""
    options, keeps_folder = _options()
    signal.signal(signal.SIGALRM, _give_up)
    signal.alarm(int(SECONDS_MAX + SECONDS_EACH_MAX * options.count))
    folder = Path(tempfile.mkdtemp(prefix="refunds-chaos-"))
    began = time.monotonic()
    try:
        result = Campaign(options, folder).run()
    except BaseException:
        print(f"What is left of the run is in {folder}.", file=sys.stderr)
        raise
    signal.alarm(0)
    status, word = verdict(result)
    for breach in result.judgement.breaches[:BREACHES_TOLD_MAX]:
        print(f"broken: {breach}", file=sys.stderr)
    for missing in result.not_reached:
        print(f"never happened: {missing}", file=sys.stderr)
    print(_line(options, result, word, time.monotonic() - began))
    if status == EXIT_HOLDS and not keeps_folder:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        print(f"Logs, the database and every fault are in {folder}.", file=sys.stderr)
    return status


def _options() -> tuple[Options, bool]:
    parser = argparse.ArgumentParser(prog="chaos", description=__doc__)
    parser.add_argument("--rail", choices=sorted(RAILS), default="crypto")
    parser.add_argument("--count", type=int, default=100, help="deposits, each asked for at least once")
    parser.add_argument("--seed", default=None, help="decides every fault; the time of day if not given")
    parser.add_argument("--database", choices=("sqlite", "postgres"), default="sqlite")
    parser.add_argument("--endpoints", type=int, default=1, help="of the chain, each with faults of its own")
    parser.add_argument(
        "--profile", choices=("faithful", "permissive"), default="faithful", help="of the simulator of Stripe"
    )
    parser.add_argument("--bug", default=None, help="a mistake to plant, see chaos/bugs.py; the run must then fail")
    parser.add_argument("--rest-seconds", type=float, default=REST_SECONDS_MAX)
    parser.add_argument("--stop-early", action="store_true", help="end as soon as something is broken for certain")
    parser.add_argument("--keep", action="store_true", help="keep the folder of a run that holds, too")
    told = parser.parse_args()
    if told.count < 1 or told.endpoints < 1:
        parser.error("--count and --endpoints must be at least 1")
    options = Options(
        rail=told.rail,
        count=told.count,
        seed=told.seed or str(int(time.time())),
        database=told.database,
        endpoints=told.endpoints,
        profile=told.profile,
        bug=told.bug,
        rest_seconds_max=told.rest_seconds,
        stops_early=told.stop_early,
    )
    return options, told.keep


def verdict(result: Result) -> tuple[int, str]:
    """Return the exit status and its word. What broke counts more than what never happened."""
    if result.judgement.breaches:
        return EXIT_BROKEN, "FAIL"
    if result.not_reached:
        return EXIT_VACUOUS, "VACUOUS"
    return EXIT_HOLDS, "PASS"


def _line(options: Options, result: Result, word: str, seconds: float) -> str:
    told = result.judgement
    kinds = " ".join(f"{kind}={number}" for kind, number in sorted(result.fired.items()))
    again = f"make chaos RAIL={options.rail} N={options.count} SEED={options.seed} DB={options.database}"
    again += f" ENDPOINTS={options.endpoints}" if options.endpoints != 1 else ""
    again += f" PROFILE={options.profile}" if options.rail == "card" else ""
    again += f" BUG={options.bug}" if options.bug else ""
    profile = f" profile={options.profile}" if options.rail == "card" else ""
    details = " ".join(f"{name}={it}" for name, it in told.details.items())
    return (
        f"CHAOS rail={options.rail}{profile} db={options.database} seed={options.seed} commit={_commit()} "
        f"asked={told.asked} due={told.due} paid_once={told.paid_once} twice={told.twice} lost={told.lost} "
        f"rightly_unpaid={told.unpaid} {details} "
        f"faults={sum(result.fired.values())} ({kinds}) worker_deaths={result.deaths} "
        f"findings=({' '.join(f'{kind}={number}' for kind, number in result.findings.items())}) "
        f"phases={result.seconds} seconds={seconds:.0f} verdict={word} reproduce: {again}"
    )


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _give_up(*_: object) -> None:
    raise TooLong("The run did not end in time.")


if __name__ == "__main__":
    exit_status = EXIT_TROUBLE
    try:
        exit_status = main()
    except Exception as error:  # noqa: BLE001 - the edge of a process
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # Clients of Temporal may crash while the interpreter ends, and the status would be theirs.
        os._exit(exit_status)
