"""Scenarios: tables that change while they are captured, and what is told of columns."""

from __future__ import annotations

from tests.differential.scenario import BASE, Scenario

SCHEMA_CHANGES = (
    Scenario(
        "add_column",
        (BASE, "insert into t values (1, 'một', 1)"),
        (
            "insert into t values (2, 'hai', 2)",
            "alter table t add email text",
            "insert into t values (3, 'ba', 3, 'b@x')",
            "alter table t add muc int not null default 5",
            "update t set ten = 'x' where id = 1",
            "alter table t add ngay date default '2025-07-01'",
            "insert into t (id) values (4)",
        ),
        step=True,
    ),
    Scenario(
        "drop_column",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("alter table t drop ten", "insert into t values (2, 2)", "update t set so = 3 where id = 1"),
        step=True,
    ),
    Scenario(
        "rename_column",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("alter table t rename ten to ho_ten", "insert into t values (2, 'hai', 2)"),
        step=True,
    ),
    Scenario(
        "retype_column_wider",
        (BASE, "insert into t values (1, 'một', 1)"),
        ("alter table t alter so type bigint", "insert into t values (2, 'hai', 9876543210)"),
        step=True,
    ),
    Scenario(
        "change_key",
        (BASE, "insert into t values (1, 'một', 1)"),
        (
            "alter table t drop constraint t_pkey, add primary key (so)",
            "insert into t values (2, 'hai', 2)",
            "update t set so = 3 where id = 2",
        ),
        step=True,
        compatibility="NONE",
    ),
    Scenario(
        "rename_table",
        (BASE, "insert into t values (1, 'một', 1)"),
        (
            "insert into t values (2, 'hai', 2)",
            "alter table t rename to t_moi",
            "insert into t_moi values (3, 'ba', 3)",
        ),
        {"publication.autocreate.mode": "all_tables"},
        step=True,
    ),
    Scenario(
        "new_table",
        (BASE,),
        (
            "create table moi (id int primary key, ten text not null default 'x', n numeric(5,2))",
            "insert into moi values (1, 'a', 1.5)",
            "update moi set ten = 'b'",
        ),
        {"publication.autocreate.mode": "all_tables"},
        step=True,
    ),
    Scenario(
        "column_defaults",
        (
            "create table t (id int primary key generated always as identity, a text default 'x', b int default 5, "
            "c text not null default 'y', d int not null default 6, e date default '2025-07-01', "
            "f timestamptz default now(), g numeric(6,2) default 1.5, h boolean default true, "
            "i uuid default gen_random_uuid(), k jsonb default '{}', l text[] default '{a}', m bytea default '\\x01', "
            "n timestamp default '2025-07-01 01:02:03', o text default null, p double precision default 1.25, "
            "q smallint not null default 3, r bigint default 99, s varchar(5) default 'ab'::varchar, "
            "u interval default '1 day', v time default '01:02:03', w timestamptz default '2025-07-01 01:02:03+00', "
            "y real default 2, z numeric not null default 3.25, za date not null default current_date, "
            "zb timestamp(3) not null default '2025-07-01', zc char(3) not null default 'a', zd int default 1 + 1)",
            "insert into t default values",
        ),
        ("insert into t (a) values (null)",),
    ),
)
