"""The compose file as data, and what is wrong with it that no schema knows."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import compose
import yaml

from config import Settings

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "docker-compose.yml"
# The package's own script exits 0 whatever it is given; the binary beside it does not.
BINARY = Path(compose.__file__).with_name("docker-compose")

Compose = dict[str, Any]
OURS = {"api", "worker", "migrate"}
MONEY = {"stripe_secret_key", "chains.toml", "keystore.json", "keystore_password"}
NEEDED = {
    "migrate": {"REFUNDS_DATABASE_URL", "REFUNDS_DATABASE_PASSWORD_FILE"},
    "api": {"REFUNDS_DATABASE_URL", "REFUNDS_DATABASE_PASSWORD_FILE", "REFUNDS_POLICY", "REFUNDS_API_HOST"},
    "worker": {
        *("REFUNDS_DATABASE_URL", "REFUNDS_DATABASE_PASSWORD_FILE", "REFUNDS_POLICY", "REFUNDS_CHAINS"),
        *("REFUNDS_STRIPE_SECRET_KEY_FILE", "REFUNDS_KEYSTORE", "REFUNDS_KEYSTORE_PASSWORD_FILE"),
    },
}


def load() -> Compose:
    """Read the file; what its aliases share is copied, so that one part can be changed alone."""
    loaded: Compose = json.loads(json.dumps(yaml.safe_load(FILE.read_text())))
    return loaded


def read_by_compose(file: Path) -> subprocess.CompletedProcess[str]:
    """Let the real compose read a file; it needs no engine for that."""
    command = [str(BINARY), "--project-directory", str(ROOT), "-f", str(file), "config", "--quiet"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)  # noqa: S603 - pinned


def faults(content: Compose) -> list[str]:
    """Name everything that refers to nothing, or shows what must stay hidden."""
    return [
        *(fault for name, it in content["services"].items() for fault in _of_one(content, name, it)),
        *_unused(content),
        *_money(content),
    ]


def is_job(service: Compose) -> bool:
    """Tell whether a service does its work once and ends."""
    return service.get("restart") == "no"


def _of_one(content: Compose, name: str, service: Compose) -> Iterator[str]:
    yield from _dependencies(content["services"], name, service)
    yield from _references(content, name, service)
    yield from _environment(name, service.get("environment", {}))
    yield from _hardening(name, service)


def _dependencies(services: Compose, name: str, service: Compose) -> Iterator[str]:
    for other, how in service.get("depends_on", {}).items():
        if other not in services:
            yield f"{name} depends on {other}, which does not exist"
            continue
        target, condition = services[other], how["condition"]
        if condition == "service_completed_successfully" and not is_job(target):
            yield f"{name} waits for {other} to end, which never ends"
        if condition == "service_healthy" and not (target.get("healthcheck") or {}).get("test"):
            yield f"{name} waits for {other} to be healthy, which nobody checks"
        if condition == "service_started":
            yield f"{name} does not wait until {other} is of use"


def _references(content: Compose, name: str, service: Compose) -> Iterator[str]:
    for kind in ("networks", "secrets", "configs", "volumes"):
        for entry in service.get(kind, []):
            source = entry["source"] if isinstance(entry, dict) else entry.partition(":")[0]
            if source not in content.get(kind, {}):
                yield f"{name} uses {source} of {kind}, which does not exist"
    given = {f"/run/secrets/{it}" for it in service.get("secrets", [])}
    given |= {it["target"] for it in service.get("configs", [])}
    for variable, value in service.get("environment", {}).items():
        if str(value).startswith(("/run/", "/etc/")) and value not in given:
            yield f"{name} is told by {variable} of {value}, which it does not get"


def _environment(name: str, environment: dict[str, str]) -> Iterator[str]:
    for variable, value in environment.items():
        field = variable.removeprefix("REFUNDS_").lower()
        if variable.startswith("REFUNDS_") and field not in Settings.model_fields:
            yield f"{name} is given {variable}, which config.py does not know"
        is_secret = re.search(r"PASSWORD|PWD|SECRET|_KEY$", variable) and not variable.endswith("_FILE")
        if is_secret or re.search(r"://[^/@]*:[^/@]*@", str(value)):
            yield f"{name} is given a secret by {variable}"
    if name in OURS:
        yield from (f"{name} lacks {needed}" for needed in sorted(NEEDED[name] - environment.keys()))


def _hardening(name: str, service: Compose) -> Iterator[str]:
    if is_job(service):
        if service.get("ports") or service.get("healthcheck", {}).get("test"):
            yield f"{name} ends, and is published or health-checked all the same"
    elif service.get("restart") != "unless-stopped":
        yield f"{name} is not started again when it dies"
    elif not service.get("healthcheck", {}).get("test"):
        yield f"{name} has no health check"
    if not service.get("deploy", {}).get("resources", {}).get("limits", {}).get("memory"):
        yield f"{name} may use all memory"
    if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
        yield f"{name} keeps rights that it does not need"
    if not service.get("read_only") and name != "temporal-ui":
        yield f"{name} may write into its image"
    if not service.get("user") and name not in ("postgres", "temporal-ui"):
        yield f"{name} runs as whoever its image likes"
    yield from (f"{name} is published beyond loopback" for it in service.get("ports", []) if not _is_loopback(it))
    if not re.fullmatch(r"\S+:\S*\d+\.\d+\S*", re.sub(r"\$\{\w+:-(.*?)\}", r"\1", service["image"])):
        yield f"{name} has no pinned image"


def _is_loopback(port: Any) -> bool:
    return isinstance(port, str) and port.startswith("127.0.0.1:")


def _unused(content: Compose) -> Iterator[str]:
    for kind in ("networks", "secrets", "configs", "volumes"):
        used = {
            entry["source"] if isinstance(entry, dict) else entry.partition(":")[0]
            for service in content["services"].values()
            for entry in service.get(kind, [])
        }
        yield from (f"{it} of {kind} is used by nobody" for it in content[kind] if it not in used)
    for kind in ("configs",):
        yield from (
            f"there is no file {it['file']}" for it in content[kind].values() if not (ROOT / it["file"]).is_file()
        )


def _money(content: Compose) -> Iterator[str]:
    for name, service in content["services"].items():
        seen = MONEY & set(service.get("secrets", []))
        if name != "worker" and seen:
            yield f"{name} sees {', '.join(sorted(seen))}, which move money"
    if missing := MONEY - set(content["services"]["worker"].get("secrets", [])):
        yield f"worker lacks {', '.join(sorted(missing))}"
    if not content["networks"]["inside"].get("internal"):
        yield "the network inside leads outside"
    for name in ("postgres", "temporal"):
        if content["services"][name]["networks"] != ["inside"]:
            yield f"{name} can be reached from outside"
