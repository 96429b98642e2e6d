"""Downloads: what is kept, what is refused, what is said when it can't be done."""

from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import pytest

from sync.embedded import jar
from sync.embedded.port import choose
from sync.errors import ConfigError, Unavailable


def test_the_pinned_list_names_kafka_and_every_sum_is_a_sha_256() -> None:
    pinned = jar.pinned()
    assert f"kafka_2.13-{jar.KAFKA_VERSION}.jar" in pinned
    assert len(pinned) > 40
    assert all(len(digest) == len(hashlib.sha256().hexdigest()) for digest in pinned.values())


def test_a_filled_cache_needs_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    home = tmp_path / f"kafka-{jar.KAFKA_VERSION}"
    home.mkdir()
    for name in jar.pinned():
        (home / name).touch()
    assert {path.name for path in jar.kafka_jars(cache=tmp_path)} == set(jar.pinned())


def test_without_network_the_first_download_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unavailable, match="the first start needs the network"):
        jar.kafka_jars(cache=tmp_path)


def test_a_cache_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="DONGBO_CACHE"):
        jar.kafka_jars(cache=tmp_path / "file")


def test_a_full_disk_is_called_full() -> None:
    assert "full" in str(jar.disk_error(OSError(errno.ENOSPC, "No space left on device"), Path("data")))
    assert "data" in str(jar.disk_error(OSError(errno.EACCES, "Permission denied"), Path("data")))


def test_the_cache_is_where_the_user_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DONGBO_CACHE", str(tmp_path))
    assert jar.cache_directory() == tmp_path
    monkeypatch.delenv("DONGBO_CACHE")
    assert jar.cache_directory().name == "dongbo"


def test_free_ports_are_below_the_range_of_outgoing_connections() -> None:
    first = choose([])
    assert first != choose([first], taken=[first])
    assert 1024 < first < 32_768
