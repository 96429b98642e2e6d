"""Scenarios: configuration keys."""

from __future__ import annotations

import json

from tests.differential.scenario import BASE, Scenario

_NOTIFIED = {
    "notification.enabled.channels": "sink,log",
    "notification.sink.topic.name": "{prefix}.thong_bao",
    "signal.data.collection": "public.tin",
    # Ours writes them where the other captures, too.
    "message.prefix.exclude.list": "dongbo",
}


def _signal(name: str, tables: list[str], **more: str) -> str:
    data = json.dumps({"data-collections": tables, "type": "incremental", **more})
    return f"insert into tin values ('{name}', 'execute-snapshot', '{data}')"


FEATURES = (
    Scenario(
        "tombstones_off",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("delete from t", "insert into t values (2, 'hai', 2)", "update t set id = 3"),
        {"tombstones.on.delete": "false"},
    ),
    Scenario(
        "skipped_operations",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("insert into t values (2, 'hai', 2)", "update t set ten = 'x'", "delete from t where id = 1", "truncate t"),
        {"skipped.operations": "u,d"},
    ),
    Scenario(
        "message_key_columns",
        (BASE, "alter table t replica identity full", "insert into t values (1, 'một', 1)"),
        (
            "insert into t values (2, 'hai', 2)",
            "update t set so = 3 where id = 2",
            "update t set id = 4 where id = 2",
            "delete from t where id = 1",
        ),
        {"message.key.columns": "public.t:so,ten"},
    ),
    Scenario(
        "message_key_columns_default_identity",
        (BASE,),
        ("insert into t values (2, 'hai', 2)", "delete from t"),
        {"message.key.columns": "public.t:so,ten"},
    ),
    Scenario(
        "column_exclude_list",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("insert into t values (2, 'hai', 2)", "update t set ten = 'x' where id = 1", "update t set so = 3"),
        {"column.exclude.list": r"public\.t\.ten"},
    ),
    Scenario(
        "column_include_list",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("insert into t values (2, 'hai', 2)", "delete from t where id = 1"),
        {"column.include.list": r"public\.t\.(id|ten),public\.moc\..*"},
    ),
    Scenario(
        "column_masks",
        (
            "create table t (id int primary key, a text, b varchar(20), c text, d text)",
            "insert into t values (1, 'bí mật', 'dài quá mức', 'abc', null)",
        ),
        ("insert into t values (2, null, 'ngắn', 'xyz', 'd')",),
        {
            "column.mask.with.4.chars": r"public\.t\.a",
            "column.truncate.to.3.chars": r"public\.t\.b",
            "column.mask.hash.SHA-256.with.salt.muoi": r"public\.t\.c",
            "column.mask.hash.v2.SHA-512.with.salt.muoi": r"public\.t\.d",
        },
    ),
    Scenario(
        "transaction_metadata",
        (BASE, "create table u (id int primary key)", "insert into t values (1, 'một', 1)"),
        (
            "insert into t values (2, 'hai', 2); insert into u values (1); update t set ten = 'x' where id = 1",
            "delete from t where id = 1",
        ),
        {"provide.transaction.metadata": "true"},
    ),
    Scenario(
        "no_data",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("insert into t values (2, 'hai', 2)",),
        {"snapshot.mode": "no_data"},
    ),
    Scenario(
        "skip_messages_without_change",
        (
            "create table t (id int primary key, ten text, an text, che text)",
            "alter table t replica identity full",
            "alter table t alter ten set storage external",
            "create table u (id int primary key, ten text)",
            "insert into t values (1, repeat('á', 5000), 'x', 'y')",
            "insert into u values (1, 'một')",
        ),
        (
            "update t set an = 'z'",
            "update t set che = 'z'",
            "update t set ten = 'hai', an = 'x'; update t set ten = 'hai'; insert into t values (2)",
            "update t set id = 3 where id = 2",
            "update u set ten = 'một'",
        ),
        {
            "skip.messages.without.change": "true",
            "column.exclude.list": r"public\.t\.an",
            "column.mask.with.4.chars": r"public\.t\.che",
            "provide.transaction.metadata": "true",
        },
    ),
    Scenario(
        "notifications",
        (
            BASE,
            "create table u (id int primary key)",
            "create table tin (id text primary key, type text, data text)",
            "insert into t values (1, 'một', 1), (2, 'hai', 2), (3, 'ba', 3)",
            "insert into u values (1)",
        ),
        (),
        # Without the marker table, whose rows grow while one side or the other takes its snapshot.
        {**_NOTIFIED, "snapshot.include.collection.list": r"public\.(t|u)"},
    ),
    Scenario(
        "notifications_of_signals",
        (
            BASE,
            "create table u (a int, b text, primary key (a, b))",
            "create table e (id int primary key)",
            "create table k (id int)",
            "alter table k replica identity full",
            "create table tin (id text primary key, type text, data text)",
            "insert into t values (1, 'một', 1), (2, 'hai', 2), (3, 'ba', 3)",
            "insert into u values (1, 'x'), (2, 'y')",
        ),
        (
            _signal("1", ["public.t", "public.u"]),
            "select pg_sleep(4)",
            _signal("2", ["public.e"]),
            "select pg_sleep(3)",
            _signal("3", ["public.k"]),
            "select pg_sleep(3)",
            _signal("4", ["public.t"], type="blocking"),
            "select pg_sleep(4)",
        ),
        {**_NOTIFIED, "snapshot.mode": "no_data", "incremental.snapshot.chunk.size": "2"},
        step=True,
    ),
    Scenario(
        "logical_message",
        (BASE,),
        (
            "select pg_logical_emit_message(true, 'thu', 'nội dung')",
            "select pg_logical_emit_message(false, 'thu', 'ngoài giao dịch')",
            "insert into t values (1, 'một', 1)",
        ),
    ),
    Scenario(
        "logical_message_prefixes",
        (BASE,),
        (
            "select pg_logical_emit_message(true, 'khác', 'x')",
            "insert into t values (1, 'một', 1); select pg_logical_emit_message(true, 'Thu', ''::bytea); "
            "select pg_logical_emit_message(false, 'thu', 'giữa'); insert into t values (2, 'hai', 2)",
            "select pg_logical_emit_message(true, 'thu', '\\x00ff'::bytea)",
        ),
        {
            "message.prefix.include.list": "th.,khong_co",
            "binary.handling.mode": "base64",
            "provide.transaction.metadata": "true",
        },
    ),
)
