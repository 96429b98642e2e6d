"""Kafka's jars from Maven Central, resolved by jgo, checked against pinned SHA-256 sums, kept in the user's cache.

Called by the stack before it starts Kafka. The first call needs the network (about 45 MB); later ones only read the
cache. The list ``kafka.sha256`` beside this file says which files and which contents are right: a download that was
cut off or altered is thrown away and fetched once more, and never run.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any

from sync.errors import ConfigError, Refused, SyncError, Unavailable

KAFKA_VERSION = "4.1.1"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}+org.slf4j:slf4j-simple:2.0.17"

Progress = Callable[[str, int, int], None]
"""``(what is being done, bytes done, bytes in all)``; both numbers are 0 for a step without a known size."""

_FETCHES = 2


def quiet(_what: str, _done: int, _total: int) -> None:
    """A ``Progress`` that shows nothing."""


def cache_directory() -> Path:
    """Where downloads are kept: ``DONGBO_CACHE``, else the platform's directory for a user's caches."""
    if given := os.environ.get("DONGBO_CACHE"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "dongbo"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dongbo"


def pinned() -> dict[str, str]:
    """File name → SHA-256 of every jar that Kafka needs here."""
    text = files("sync.embedded").joinpath("kafka.sha256").read_text(encoding="utf-8")
    lines = (line.split() for line in text.splitlines() if line and not line.startswith("#"))
    return {name: digest for digest, name in lines}


def kafka_jars(progress: Progress = quiet, cache: Path | None = None) -> list[Path]:
    """Return the jars of Kafka's class path, downloading what the cache lacks.

    Raises Unavailable (no network), Refused (contents that are not the pinned ones), ConfigError (cache not writable,
    disk full). Safe to call from several processes at once: one downloads, the others wait.
    """
    home = (cache or cache_directory()) / f"kafka-{KAFKA_VERSION}"
    wanted = pinned()
    try:
        home.mkdir(parents=True, exist_ok=True)
        if _complete(home, wanted):
            return [home / name for name in wanted]
        with _alone(home / ".lock"):
            if not _complete(home, wanted):
                _fetch(home, wanted, progress)
    except SyncError:
        raise
    except OSError as error:
        raise disk_error(error, home) from error
    return [home / name for name in wanted]


def disk_error(error: OSError, place: Path) -> SyncError:
    """Name what the file system refused at ``place`` and what to do about it."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ConfigError(
            f"The disk of {place} is full.",
            hint="free about 1 GB, or choose another place with --data-dir or DONGBO_CACHE",
        )
    return ConfigError(
        f"{place} cannot be written: {error.strerror}.",
        hint="choose a place that you may write to with --data-dir or DONGBO_CACHE",
    )


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _complete(home: Path, wanted: dict[str, str]) -> bool:
    """Files enter ``home`` only after their sum was checked, so their presence is enough."""
    return all((home / name).is_file() for name in wanted)


def _fetch(home: Path, wanted: dict[str, str], progress: Progress) -> None:
    """Resolve into a repository beside the jars, and move each file in once its contents are the pinned ones."""
    repository = home / ".download"
    bad: list[str] = []
    for _ in range(_FETCHES):
        found = {jar.name: jar for jar in _resolve(repository, progress)}
        bad = []
        for name, digest in wanted.items():
            source = found.get(name)
            if source is None or hashlib.sha256(source.read_bytes()).hexdigest() != digest:
                bad.append(name)
            else:
                draft = home / f".{name}"
                shutil.copyfile(source, draft)
                draft.replace(home / name)
        shutil.rmtree(repository / "env", ignore_errors=True)
        if not bad:
            shutil.rmtree(repository, ignore_errors=True)
            return
        for name in bad:
            for stale in repository.rglob(name):
                stale.unlink()
    raise Refused(
        f"{len(bad)} of Kafka's files arrived from Maven Central with other contents than expected, first {bad[0]}.",
        hint="a proxy may be altering downloads; try another network, or copy a filled cache and set DONGBO_CACHE",
    )


def _resolve(repository: Path, progress: Progress) -> list[Path]:
    # Heavy, and only needed on the first start.
    import requests
    from jgo.env import EnvironmentBuilder, LinkStrategy
    from jgo.maven import MavenContext, PythonResolver

    @contextmanager
    def callback(name: str, total: int) -> Iterator[Callable[[int], None]]:
        done = 0

        def advance(count: int) -> None:
            nonlocal done
            done += count
            progress(name, done, total)

        yield advance

    logging.getLogger("jgo").setLevel(logging.ERROR)
    progress("resolving Kafka's jars", 0, 0)
    context: Any = MavenContext(resolver=PythonResolver(progress_callback=callback), repo_cache=repository / "m2")
    builder: Any = EnvironmentBuilder(context=context, cache_dir=repository / "env", link_strategy=LinkStrategy.AUTO)
    try:
        return list(builder.from_endpoint(endpoint=ENDPOINT).all_jars)
    except (requests.RequestException, RuntimeError, ValueError) as error:
        raise Unavailable(
            f"Kafka {KAFKA_VERSION} could not be downloaded from Maven Central ({type(error).__name__}).",
            hint="the first start needs the network (about 45 MB); check the connection and the proxy settings "
            "(HTTPS_PROXY), or copy a filled cache from another machine and set DONGBO_CACHE",
        ) from error
