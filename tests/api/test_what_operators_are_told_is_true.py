# SPDX-License-Identifier: Apache-2.0
"""docs/operating.md, the image, the compose file and the unit, held against the program.

Images cannot be built in a test. What is checked is what goes wrong without anybody noticing: names
of settings and commands, paths that have to agree, and files that an image would lack.
"""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from configparser import ConfigParser
from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from api.database.connection import Database
from api.settings import PREFIX, Settings, default_data_dir, read_settings
from tests.api.server_process import ServerProcess
from tests.api.tiny import tiny_model
from tests.architecture.source_tree import ROOT, fenced_blocks
from tests.architecture.test_the_tutorial_runs import make_command
from tests.lacking import lacking
from verifier.cli.main import make_parser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.api.postgresql import Cluster

PAGE = ROOT / "docs/operating.md"
UNIT = ROOT / "docs/mucg4.service"
IMAGE, COMPOSE, IGNORED = ROOT / "Dockerfile", ROOT / "compose.yaml", ROOT / ".dockerignore"
PLACES = (PAGE, UNIT, IMAGE, COMPOSE)
MARK = "-- end of block"
POSTGRESQL = "<!-- with PostgreSQL"

Values = dict[str, Any]


def text(place: Path) -> str:
    return place.read_text(encoding="utf-8")


def rows(first_cell: str) -> list[list[str]]:
    """Return the rows of the page whose first cell looks like this."""
    lines = [line for line in text(PAGE).splitlines() if re.match(rf"\| `{first_cell}`", line)]
    return [[cell.strip() for cell in line[1:].split("|")] for line in lines]


def instructions(word: str) -> list[list[str]]:
    """Return the words after an instruction of the image, wherever it stands."""
    joined = text(IMAGE).replace("\\\n", " ")
    return [shlex.split(line)[1:] for line in joined.splitlines() if line.startswith(f"{word} ")]


def image_environment() -> dict[str, str]:
    return dict(pair.split("=", 1) for line in instructions("ENV") for pair in line)


@pytest.fixture(scope="module")
def compose() -> Values:
    return dict(yaml.safe_load(text(COMPOSE)))


@pytest.fixture(scope="module")
def unit() -> ConfigParser:
    parser = ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # Names have capitals.
    parser.read_string(text(UNIT))
    return parser


def test_the_page_lists_every_setting_with_its_default() -> None:
    settings = Settings(default_data_dir({}))
    listed = {row[0].strip("`"): row[1] for row in rows(rf"{PREFIX}\w+")}

    for field in fields(Settings):
        told = listed.pop(f"{PREFIX}{field.name.upper()}")
        default = getattr(settings, field.name)
        if isinstance(default, Path):
            assert Path(told.strip("`")).expanduser() == default
        elif default == "":
            assert told == ""
        else:
            number = f"{default:g}" if isinstance(default, float) else str(default)
            assert told.split("`")[1] == number
    assert listed == {}


@pytest.mark.parametrize("place", PLACES, ids=lambda place: place.name)
def test_every_variable_that_is_named_is_a_setting(place: Path) -> None:
    named = set(re.findall(rf"\b{PREFIX}[A-Z_]+\b", text(place)))

    known = {f"{PREFIX}{field.name.upper()}" for field in fields(Settings)}
    assert named
    assert named <= known


def test_every_command_that_is_started_exists(compose: Values, unit: ConfigParser) -> None:
    (entrypoint,) = re.findall(r"^ENTRYPOINT (.+)$", text(IMAGE), re.MULTILINE)
    (command,) = re.findall(r"^CMD (.+)$", text(IMAGE), re.MULTILINE)
    started = [
        [*yaml.safe_load(entrypoint), *yaml.safe_load(command)],
        *(line[1:] for line in instructions("RUN") if line[1] == "mucg4"),
        shlex.split(unit["Service"]["ExecStart"]),
        shlex.split(compose["services"]["server"]["command"][0].splitlines()[-1])[1:],
    ]

    assert len(started) == 4
    for program, *words in started:
        assert Path(program).name == "mucg4"
        assert make_parser().parse_args(words).run


def test_the_image_has_all_that_the_package_is_built_from() -> None:
    build = tomllib.loads(text(ROOT / "pyproject.toml"))["tool"]["hatch"]["build"]["targets"][
        "wheel"
    ]
    needed = {*build["packages"], *build["force-include"], "pyproject.toml", "README.md", "LICENSE"}
    copied = {source for line in instructions("COPY") for source in line[:-1] if line[0][0] != "-"}
    let_through = {line[1:] for line in text(IGNORED).splitlines() if line.startswith("!")}

    assert copied == let_through
    assert not [source for source in copied if not (ROOT / source).exists()]
    assert not [path for path in needed if not any(Path(path).is_relative_to(c) for c in copied)]


def test_data_lies_on_a_volume_that_the_user_may_write() -> None:
    environment = image_environment()
    folder = environment["MUCG4_DATA_DIR"]

    assert text(COMPOSE).count(f"data:{folder}") == 1
    assert instructions("VOLUME") == [[folder]]
    assert f"--owner mucg4 --mode 700 {folder}" in text(IMAGE)
    assert instructions("USER") == [["mucg4"]]
    settings = read_settings({}, environment)
    assert ["NUMBA_CACHE_DIR=" + str(settings.compiled_dir), "mucg4", "warm-up"] in instructions(
        "RUN"
    )
    assert str(settings.port) == instructions("EXPOSE")[0][0]


def test_the_health_check_asks_a_route_that_needs_no_key(server: ServerProcess) -> None:
    (program,) = re.findall(r'CMD \["python", "-c", "(.*)"\]', text(IMAGE))
    here = program.replace("http://127.0.0.1:8484", server.address)

    alive = subprocess.run([sys.executable, "-c", here], check=False)
    dead = subprocess.run(
        [sys.executable, "-c", program.replace("8484", "9")], capture_output=True, check=False
    )

    assert here != program
    assert alive.returncode == 0
    assert dead.returncode != 0


def test_the_containers_agree_with_each_other(compose: Values) -> None:
    server, database = compose["services"]["server"], compose["services"]["database"]
    url = Database(server["environment"]["MUCG4_DATABASE_URL"]).url
    settings = read_settings({}, {**image_environment(), **server["environment"]})

    assert (url.host, url.username) == ("database", database["environment"]["POSTGRES_USER"])
    assert url.database == database["environment"]["POSTGRES_DB"]
    assert url.password is None
    assert settings.workers * settings.job_memory_bytes < int(server["mem_limit"].rstrip("g")) << 30
    assert all(port.startswith("127.0.0.1:") for port in server["ports"])
    assert server["depends_on"]["database"]["condition"] == "service_healthy"
    assert database["healthcheck"]["test"][1] == "pg_isready"
    (secret,) = compose["secrets"]
    inside = f"/run/secrets/{secret}"
    assert server["secrets"] == database["secrets"] == [secret]
    assert database["environment"]["POSTGRES_PASSWORD_FILE"] == inside
    assert inside in server["command"][0]
    assert "/secrets/" in text(ROOT / ".gitignore")


def test_the_password_reaches_the_server_and_its_lack_ends_it(
    compose: Values, tmp_path: Path
) -> None:
    server = compose["services"]["server"]
    secret = tmp_path / "secret"
    script = server["command"][0].replace("$$", "$").replace("exec mucg4 serve", "env")
    script = script.replace("/run/secrets/database_password", str(secret))

    without = subprocess.run([*server["entrypoint"], script], capture_output=True, check=False)
    secret.write_text("pass 'word\n")
    found = subprocess.run(
        [*server["entrypoint"], script], capture_output=True, text=True, check=True
    )

    assert without.returncode != 0
    assert "PGPASSWORD=pass 'word" in found.stdout.splitlines()


def test_the_unit_leaves_jobs_what_they_are_confined_with(unit: ConfigParser) -> None:
    service = unit["Service"]

    assert service["NoNewPrivileges"] == "yes"
    assert set(service["RestrictNamespaces"].split()) == {"user", "net", "pid", "ipc"}
    assert "MemoryDenyWriteExecute" not in service
    assert service["SystemCallFilter"].startswith("~")
    assert service["Environment"] == f"MUCG4_DATA_DIR=/var/lib/{service['StateDirectory']}"
    assert service["KillMode"] == "mixed"


def test_systemd_takes_the_unit(tmp_path: Path) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        lacking("systemd-analyze is not installed (Debian: apt install systemd)")
    # The program is not installed where the unit says; everything else is taken as it stands.
    installed = tmp_path / UNIT.name
    installed.write_text(text(UNIT).replace("/opt/mucg4/bin/mucg4", "/bin/true"), encoding="utf-8")

    done = subprocess.run(
        [program, "verify", str(installed)], capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_the_page_lists_every_metric(server: ServerProcess) -> None:
    with server.client() as client:
        client.get("/v1/whoami")
        document = client.get("/metrics").text

    families = re.findall(r"^# TYPE (mucg4_\w+) ", document, re.MULTILINE)
    assert {row[0].strip("`") for row in rows(r"mucg4_\w+")} == {
        name for name in families if not name.endswith("_created")
    }


@pytest.fixture
def used(tmp_path: Path) -> Iterator[ServerProcess]:
    """Yield a running server that has a file."""
    if shutil.which("sqlite3") is None:
        lacking("the program sqlite3 is not installed")
    started = ServerProcess(tmp_path / "used")
    started.start()
    try:
        with started.client() as client:
            client.post("/v1/models", content=tiny_model(3)).raise_for_status()
        yield started
    finally:
        started.stop()


@pytest.mark.slow
def test_the_commands_of_the_page_work_and_a_backup_is_a_server_again(
    used: ServerProcess, tmp_path: Path
) -> None:
    make_command(tmp_path / "commands")
    path = os.pathsep.join([str(tmp_path / "commands"), os.environ.get("PATH", "")])
    data = str(used.folder / "data")
    blocks = [
        block
        for language, block, above in fenced_blocks(PAGE)
        if language == "sh" and not above.startswith(POSTGRESQL)
    ]
    script = "".join(f"{block}\necho '{MARK}'\n" for block in blocks)

    done = subprocess.run(
        ["/bin/sh", "-eu", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "MUCG4_DATA_DIR": data},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    printed = done.stdout.split(f"{MARK}\n")
    for block, output in zip(blocks, printed, strict=False):
        if "sha256sum" in block:
            assert output == ""
    restored = ServerProcess(tmp_path / "restored", key=used.key)
    restored.folder.mkdir()
    (tmp_path / "backup").rename(restored.folder / "data")
    restored.start()
    try:
        with restored.client() as client:
            sha256 = hashlib.sha256(tiny_model(3)).hexdigest()
            assert client.get(f"/v1/models/{sha256}/content").content == tiny_model(3)
            keys = client.get("/v1/keys").json()
    finally:
        restored.stop()
    assert [key["name"] for key in keys] == ["first key"]


@pytest.mark.slow
def test_a_dump_of_postgresql_is_a_server_again(cluster: Cluster, tmp_path: Path) -> None:
    # What is found may be a link to where the programs of this version are.
    programs = (cluster.programs / "postgres").resolve().parent
    url = cluster.create_database()
    sha256 = hashlib.sha256(tiny_model(5)).hexdigest()
    backup, restore = [
        block for _, block, above in fenced_blocks(PAGE) if above.startswith(POSTGRESQL)
    ]

    def act(block: str) -> None:
        path = os.pathsep.join([str(programs), os.environ.get("PATH", "")])
        known = {**os.environ, "PATH": path, "DATABASE": url.replace("+psycopg", "")}
        subprocess.run(["/bin/sh", "-eu", "-c", block], cwd=tmp_path, env=known, check=True)

    (tmp_path / "backup").mkdir()
    running = ServerProcess(tmp_path / "server", database_url=url)
    running.start()
    try:
        with running.client() as client:
            client.post("/v1/models", content=tiny_model(5)).raise_for_status()
            act(backup)
            client.delete(f"/v1/models/{sha256}").raise_for_status()
        running.stop()
        act(restore)
        running.start()
        with running.client() as client:
            found = client.get(f"/v1/models/{sha256}/content")
    finally:
        running.stop()

    assert found.content == tiny_model(5)
