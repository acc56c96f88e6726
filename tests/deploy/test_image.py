"""What the Dockerfile puts into the image runs there: the named files alone, with the production lock's packages."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from fnmatch import fnmatch
from importlib import metadata
from pathlib import Path

import pytest

from tests.deploy.compose_file import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
SECONDS_MAX = 120
NOT_FOR_PRODUCTION = {"devstack"}


def instructions(name: str) -> list[list[str]]:
    """The words of each instruction of this name, continued lines put together."""
    lines = re.sub(r"\\\n", " ", DOCKERFILE).splitlines()
    return [shlex.split(line)[1:] for line in lines if line.startswith(f"{name} ")]


def copies() -> list[tuple[str, str]]:
    """From where in the checkout to where in the image; what comes from the stage before is left out."""
    pairs = []
    for words in instructions("COPY"):
        if not words[0].startswith("--from="):
            *sources, target = words
            pairs += [(it, target) for it in sources]
    return pairs


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what the image holds, and its Python."""
    root = tmp_path_factory.mktemp("image")
    for source, target in copies():
        place = root / (target.lstrip("/") if target.startswith("/") else f"app/{target}")
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, place, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            place.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, place)
    link_packages(root / "build" / "requirements.lock", root / "opt" / "refunds")
    return root


def link_packages(lock: Path, environment: Path) -> None:
    """Make an environment with the packages of the production lock alone, at the versions that it names."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True, timeout=SECONDS_MAX)  # noqa: S603
    (packages,) = (environment / "lib").glob("python*/site-packages")
    pinned = re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([\w.+!-]+)(.*)$", lock.read_text(), re.MULTILINE)
    for name, version, marker in pinned:
        try:
            installed = metadata.distribution(name)
        except metadata.PackageNotFoundError:
            assert ";" in marker, f"{name} is not installed"  # for another platform
            continue
        assert installed.version == version
        for part in {file.parts[0] for file in installed.files or ()} - {"..", "__pycache__"}:
            if not (packages / part).exists():
                (packages / part).symlink_to(Path(str(installed.locate_file(part))))


def refunds(image: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the image's command as its entry point does, from a folder that holds nothing."""
    elsewhere = image / "tmp"
    elsewhere.mkdir(exist_ok=True)
    return subprocess.run(  # noqa: S603 - our own script
        ["/bin/sh", str(image / "usr" / "local" / "bin" / "refunds"), *arguments],
        cwd=elsewhere,
        env={
            "PATH": f"{image / 'opt' / 'refunds' / 'bin'}:{os.defpath}",
            "PYTHONPATH": str(image / "app"),
            "REFUNDS_POLICY": str(image / "app" / "policy.toml"),
        }
        | environment,
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )


def test_command_lists_its_verbs_without_the_local_stack(image: Path) -> None:
    done = refunds(image, "--help")

    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout
    assert not (image / "app" / "devstack").exists()


def test_worker_and_server_start_as_far_as_their_settings_let_them(image: Path) -> None:
    worker = refunds(image, "worker")
    server = refunds(image, "serve")

    assert (worker.returncode, server.returncode) == (2, 2)
    assert "REFUNDS_STRIPE_SECRET_KEY" in worker.stderr
    assert "refunds migrate" in server.stderr
    assert "Traceback" not in worker.stderr + server.stderr


def test_migrations_are_there(image: Path) -> None:
    migrated = refunds(image, "migrate", REFUNDS_DATABASE_URL=f"sqlite:///{image / 'tmp' / 'ledger.sqlite'}")

    assert migrated.returncode == 0, migrated.stderr


def test_every_package_is_copied_but_the_local_stack() -> None:
    packaged = tomllib.loads((ROOT / "pyproject.toml").read_text())
    named = set(packaged["tool"]["hatch"]["build"]["targets"]["wheel"]["only-include"])

    copied = {source for source, _ in copies()}

    assert named - copied == NOT_FOR_PRODUCTION
    assert copied - named == {"requirements.lock", "policy.toml", "deploy/refunds"}


def test_build_sees_what_is_copied_and_nothing_else() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    let_in = {line.removeprefix("!") for line in lines if line.startswith("!")}

    assert lines[0] == "*"
    assert let_in == {source for source, _ in copies()}
    assert not any(fnmatch("deploy/secrets/stripe_secret_key", f"{name}*") for name in let_in)


def test_image_is_pinned_and_runs_as_somebody_without_rights() -> None:
    users, *_ = instructions("USER")

    assert re.search(r"^ARG PYTHON_IMAGE=python:\d+\.\d+\.\d+-slim-\w+$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    assert "--require-hashes --only-binary :all:" in DOCKERFILE
    assert not re.search(r"build-essential|gcc|apt-get", DOCKERFILE)
    assert {"HEALTHCHECK", "LABEL", "ENTRYPOINT"} <= {line.partition(" ")[0] for line in DOCKERFILE.splitlines()}


def test_linter_of_dockerfiles_has_nothing_to_say(tmp_path: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    careless = tmp_path / "Dockerfile"
    careless.write_text("FROM python\nRUN cd /app && sudo pip install x\n")

    clean, found = (
        subprocess.run([hadolint, file], capture_output=True, text=True, timeout=SECONDS_MAX, check=False)  # noqa: S603
        for file in (ROOT / "Dockerfile", careless)
    )

    assert (clean.returncode, clean.stdout) == (0, "")
    assert found.returncode == 1
