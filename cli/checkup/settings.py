"""What the environment says, all faults at once, and the policy that it names."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from cli.checkup.report import Check, ok, wrong
from config import MissingSettingsError, Settings

OF_A_CLIENT = frozenset(["REFUNDS_API_URL", "REFUNDS_TOKEN", "REFUNDS_ROOT"])
OF_A_RAIL = ("REFUNDS_STRIPE_SECRET_KEY", "REFUNDS_CHAINS", "REFUNDS_KEYSTORE")
MEND = "Mend it where this process gets its environment from, and start again."


def describes_a_service(environment: Mapping[str, str]) -> bool:
    """Tell whether this is the environment of the API or the worker, and not only of their caller."""
    return any(name.startswith("REFUNDS_") and name not in OF_A_CLIENT for name in environment)


def describes_a_worker(environment: Mapping[str, str]) -> bool:
    """Tell whether anything of a rail is set: then all of it must be."""
    return any(name.startswith(OF_A_RAIL) for name in environment)


def load() -> tuple[Settings | None, list[Check]]:
    """Read the settings; None where they cannot be read."""
    try:
        settings = Settings.load()
    except MissingSettingsError as error:
        return None, [wrong("settings", problem, MEND) for problem in error.problems]
    return settings, []


def examine(settings: Settings, environment: Mapping[str, str]) -> Iterator[Check]:
    """Judge what was read."""
    problems: list[str] = []
    if describes_a_worker(environment):
        try:
            settings.require_rails()
        except MissingSettingsError as error:
            problems += error.problems
    for problem in problems:
        yield wrong("settings", problem, MEND)
    if not problems:
        yield ok("settings", "All settings can be read.")
    if not any("REFUNDS_POLICY" in problem for problem in problems):
        yield _policy(settings)


def _policy(settings: Settings) -> Check:
    try:
        policy = settings.load_policy()
    except MissingSettingsError as error:
        return wrong(
            "policy", str(error), "Mend the named field; the policy that came with this version is a pattern."
        )
    now = datetime.now(UTC)
    in_force = [it for it in policy.versions if it.in_force_from <= now]
    if not in_force:
        return wrong(
            "policy", "No version of the policy is in force yet.", "Add the version that deposits were sold by."
        )
    newest = max(in_force, key=lambda it: it.in_force_from)
    return ok("policy", f"Version {newest.version} is in force.")
