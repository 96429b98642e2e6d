"""Scenarios: changes of rows, keys, identities, TOASTed values, truncates, partitions."""

from __future__ import annotations

from tests.differential.scenario import BASE, Scenario

CHANGES = (
    Scenario(
        "rows",
        (BASE, "insert into t values (1, 'một', 1), (2, null, 2)"),
        (
            "insert into t values (3, 'ba', 3)",
            "update t set ten = 'hai' where id = 2",
            "delete from t where id = 1",
            "insert into t values (4, 'bốn', 4); update t set so = 40 where id = 4; delete from t where id = 4",
            "update t set id = 33 where id = 3",
        ),
    ),
    Scenario(
        "identity_full",
        (BASE, "alter table t replica identity full", "insert into t values (1, 'một', 1), (2, null, 2)"),
        ("update t set ten = 'hai' where id = 2", "update t set id = 11 where id = 1", "delete from t where id = 2"),
    ),
    Scenario(
        "identity_index",
        (
            BASE,
            "create unique index t_so on t (so)",
            "alter table t replica identity using index t_so",
            "insert into t values (1, 'một', 1), (2, null, 2)",
        ),
        (
            "update t set ten = 'hai' where id = 2",
            "update t set so = 11 where id = 1",
            "update t set id = 22 where id = 2",
            "delete from t where so = 2",
        ),
    ),
    Scenario(
        "identity_nothing",
        (BASE, "alter table t replica identity nothing", "insert into t values (1, 'một', 1)"),
        ("insert into t values (2, 'hai', 2)",),
    ),
    Scenario(
        "no_primary_key",
        ("create table t (id int, ten text)", "alter table t replica identity full", "insert into t values (1, 'a')"),
        ("insert into t values (2, 'b')", "update t set ten = 'c' where id = 2", "delete from t where id = 1"),
    ),
    Scenario(
        "no_primary_key_default_identity",
        ("create table t (id int, ten text)", "insert into t values (1, 'a')"),
        ("insert into t values (2, 'b')",),
    ),
    Scenario(
        "unique_index_without_primary_key",
        (
            "create table t (id int not null, ten text, unique (id))",
            "alter table t replica identity full",
            "insert into t values (1, 'a')",
        ),
        ("insert into t values (2, 'b')", "update t set ten = 'c' where id = 2", "delete from t where id = 1"),
    ),
    Scenario(
        "composite_key",
        (
            "create table t (a int, b text, c text, primary key (b, a))",
            "insert into t values (1, 'x', 'một')",
        ),
        ("insert into t values (2, 'y', 'hai')", "update t set a = 3 where b = 'y'", "delete from t where b = 'x'"),
    ),
    Scenario(
        "toast",
        (
            "create table t (id int primary key, dai text, mang text[], nhi_phan bytea, j jsonb, n int)",
            "alter table t alter dai set storage external, alter nhi_phan set storage external, "
            "alter j set storage external, alter mang set storage external",
            "insert into t select 1, repeat('á', 5000), array[repeat('b', 5000)], "
            "convert_to(repeat('c', 5000), 'UTF8'), to_jsonb(repeat('d', 5000)), 1",
        ),
        ("update t set n = 2", "update t set dai = repeat('e', 5000), n = 3", "delete from t"),
    ),
    Scenario(
        "toast_identity_full",
        (
            "create table t (id int primary key, dai text, n int)",
            "alter table t replica identity full",
            "alter table t alter dai set storage external",
            "insert into t select 1, repeat('á', 5000), 1",
        ),
        ("update t set n = 2", "delete from t"),
    ),
    Scenario(
        "truncate_by_default",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("truncate t", "insert into t values (2, 'hai', 2)"),
    ),
    Scenario(
        "truncate",
        (BASE, "create table u (id int primary key)", "insert into t values (1, 'một', 1)"),
        ("truncate t", "truncate t, u", "insert into t values (2, 'hai', 2); truncate t"),
        {"skipped.operations": "none"},
    ),
    Scenario(
        "names",
        (
            'create schema "Sở Nội vụ"',
            'create table "Sở Nội vụ"."Cán bộ" (id int primary key, "Họ tên" text, "2x" int, "a-b" int)',
            """insert into "Sở Nội vụ"."Cán bộ" values (1, 'An', 2, 3)""",
        ),
        ("""insert into "Sở Nội vụ"."Cán bộ" values (2, 'Bình', 2, 3)""",),
    ),
    Scenario(
        "quoted_names",
        (
            'create schema "So Noi vu"',
            'create table "So Noi vu"."Can bo" (id int primary key, "Ho ten" text, "2x" int, "a-b" int)',
            """insert into "So Noi vu"."Can bo" values (1, 'An', 2, 3)""",
        ),
        ("""insert into "So Noi vu"."Can bo" values (2, 'Bình', 2, 3)""",),
        {"schema.name.adjustment.mode": "avro", "field.name.adjustment.mode": "avro"},
    ),
    Scenario(
        "partitioned",
        (
            "create table t (id int, vung int, ten text, primary key (id, vung)) partition by list (vung)",
            "create table t1 partition of t for values in (1)",
            "create table t2 partition of t for values in (2)",
            "insert into t values (1, 1, 'bắc'), (2, 2, 'nam')",
        ),
        (
            "insert into t values (3, 1, 'bắc'), (4, 2, 'nam')",
            "update t set ten = 'Bắc' where id = 1",
            "update t set vung = 2 where id = 3",
            "delete from t where id = 2",
        ),
    ),
    Scenario(
        "partitions_selected",
        (
            "create table t (id int, vung int, ten text, primary key (id, vung)) partition by list (vung)",
            "create table t1 partition of t for values in (1)",
            "create table t2 partition of t for values in (2)",
            "alter table t2 replica identity full",
            "insert into t values (1, 1, 'bắc'), (2, 2, 'nam')",
        ),
        (
            "insert into t values (3, 1, 'bắc'), (4, 2, 'nam')",
            "update t set vung = 2 where id = 3",
            "update t set ten = 'Nam' where id = 2",
            "alter table t detach partition t2",
            "delete from t2 where id = 2",
        ),
        {"table.include.list": r"public\.(t1|t2|moc)"},
    ),
    Scenario(
        "partitioned_by_root",
        (
            "create table t (id int, vung int, ten text, primary key (id, vung)) partition by list (vung)",
            "create table t1 partition of t for values in (1)",
            "create table t2 partition of t for values in (2)",
            "insert into t values (1, 1, 'bắc'), (2, 2, 'nam')",
        ),
        (
            "insert into t values (3, 1, 'bắc'), (4, 2, 'nam')",
            "update t set vung = 2 where id = 3",
            "delete from t where id = 2",
        ),
        {"publish.via.partition.root": "true", "table.include.list": r"public\.(t|moc)"},
    ),
    Scenario(
        "transactions_of_other_tables",
        (BASE, "create table khac (id int)"),
        (
            "insert into khac values (1)",
            "insert into khac values (2); insert into t values (1, 'a', 1); insert into khac values (3)",
            "insert into t values (2, 'b', 2)",
        ),
        {"table.exclude.list": r"public\.khac"},
    ),
)
