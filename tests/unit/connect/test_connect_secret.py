"""Secrets: resolved late, masked always."""

from __future__ import annotations

from pathlib import Path

import pytest

from sync.errors import ConfigError
from sync.secret import MASK, mask, resolve, unmask


def test_placeholders_are_resolved_wherever_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "secrets.properties"
    file.write_text("# comment\nuser = dongbo\npassword: with spaces\nodd=a=b\n")
    config = {
        "connection.url": "jdbc:postgresql://${env:HOST}:${env:PORT}/db",
        "connection.username": f"${{file:{file}:user}}",
        "connection.password": f"${{file:{file}:password}}",
        "odd": f"${{file:{file}:odd}}",
        "name.format": "${topic}",
        "other": "${vault:a:b}",
    }
    resolved = resolve(config, environ={"HOST": "h", "PORT": "5432"}).config
    assert resolved == {
        "connection.url": "jdbc:postgresql://h:5432/db",
        "connection.username": "dongbo",
        "connection.password": "with spaces",
        "odd": "a=b",
        "name.format": "${topic}",
        "other": "${vault:a:b}",
    }


@pytest.mark.parametrize("value", ["${env:GONE}", "${file:/nowhere/at/all:key}"])
def test_what_cannot_be_resolved_is_an_error_of_its_key(value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve({"database.password": value}, environ={})
    assert caught.value.field == "database.password"
    assert caught.value.hint


def test_a_file_of_a_directory_is_a_secret_as_a_whole(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("two words=1:2\n")
    resolved = resolve({"database.password": f"${{dir:{tmp_path}:password}}"})
    assert resolved.config == {"database.password": "two words=1:2"}
    assert resolved.scrub("it was two words=1:2") == f"it was {MASK}"
    for wrong in ("gone", "..", "../password", "sub/password"):
        with pytest.raises(ConfigError) as caught:
            resolve({"database.password": f"${{dir:{tmp_path}:{wrong}}}"})
        assert caught.value.field == "database.password"


def test_a_missing_entry_of_a_file_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "secrets.properties"
    file.write_text("a=1\n")
    with pytest.raises(ConfigError, match="no such entry"):
        resolve({"k": f"${{file:{file}:b}}"})


def test_an_entry_is_what_java_reads_and_a_wrong_file_is_named_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "secrets.properties"
    file.write_text("password:a\\\\b=c\\:\\u0041 d\n")
    assert resolve({"k": f"${{file:{file}:password}}"}).config == {"k": "a\\b=c:A d"}
    file.write_text("password=hunter2\\u00\n")
    with pytest.raises(ConfigError, match=r"no properties file") as caught:
        resolve({"k": f"${{file:{file}:password}}"})
    assert "hunter2" not in str(caught.value)


def test_a_placeholder_comes_back_as_submitted_and_a_clear_secret_masked() -> None:
    config = {
        "database.password": "clear",
        "connection.password": "${env:PW}",
        "half.password": "prefix-${env:PW}",
        "sasl.jaas.config": "user x password y",
        "empty.password": "",
        "connection.url": "jdbc:postgresql://h/db?user=u&password=clear&ssl=true",
        "registry.url": "http://user:clear@registry",
        "placed.url": "http://user:${env:PW}@registry",
        "pin": "1234",
        "topic.prefix": "tinh_01",
    }
    assert mask(config, {"pin"}) == {
        "database.password": MASK,
        "connection.password": "${env:PW}",
        "half.password": MASK,
        "sasl.jaas.config": MASK,
        "empty.password": "",
        "connection.url": f"jdbc:postgresql://h/db?user=u&password={MASK}&ssl=true",
        "registry.url": f"http://user:{MASK}@registry",
        "placed.url": "http://user:${env:PW}@registry",
        "pin": MASK,
        "topic.prefix": "tinh_01",
    }
    assert unmask(mask(config, {"pin"}), config, {"pin"}) == config


def test_hidden_values_leave_no_trace_in_a_text() -> None:
    resolved = resolve(
        {"database.password": "${env:PW}", "database.hostname": "${env:HOST}", "x.url": "http://u:inurl@h"},
        environ={"PW": r"s3\1cret", "HOST": "db.example"},
    )
    told = resolved.scrub(r"no route to db.example with s3\1cret or inurl; inurlish stays")
    assert told == f"no route to ${{env:HOST}} with {MASK} or {MASK}; inurlish stays"
