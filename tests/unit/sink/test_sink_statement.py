from __future__ import annotations

from sync.sink.postgresql import statement
from sync.sink.postgresql.column import column_of, for_target

KEY = [column_of({"name": "id", "type": "string"})]
REST = [column_of({"name": "Họ tên", "type": "string"}), column_of({"name": "n", "type": "int"})]


def test_identifiers_keep_case_and_quotes() -> None:
    assert statement.quote('A"b') == '"A""b"'
    assert statement.qualified("s", "T") == '"s"."T"'
    assert statement.qualified(None, "T") == '"T"'


def test_merge_rewrites_only_rows_that_differ_in_the_written_columns() -> None:
    sql = statement.merge('"t"', statement.staged("stage"), KEY, REST, "")

    assert sql == (
        'INSERT INTO "t" AS t ("id", "Họ tên", "n") SELECT "id", "Họ tên", "n" FROM pg_temp."stage" AS s '
        'ON CONFLICT ("id") DO UPDATE SET "Họ tên" = excluded."Họ tên", "n" = excluded."n" '
        'WHERE ROW(t."Họ tên", t."n") IS DISTINCT FROM ROW(excluded."Họ tên", excluded."n")'
    )


def test_merge_of_a_table_of_keys_alone_does_nothing_on_conflict() -> None:
    assert statement.merge('"t"', statement.staged("stage"), KEY, [], "").endswith('ON CONFLICT ("id") DO NOTHING')


def test_merge_stamps_the_synced_at_column_on_insert_and_update() -> None:
    sql = statement.merge('"t"', statement.staged("stage"), KEY, REST[1:], "at")

    assert '("id", "n", "at") SELECT "id", "n", clock_timestamp()' in sql
    assert '"at" = clock_timestamp() WHERE ROW(t."n")' in sql


def test_types_without_equality_are_compared_as_text() -> None:
    sql = statement.merge('"t"', statement.staged("stage"), KEY, [for_target(REST[1], "n", "json", "json")], "")

    assert 'ROW(t."n"::text) IS DISTINCT FROM ROW(excluded."n"::text)' in sql


def test_created_tables_have_the_records_key_as_primary_key() -> None:
    sql = statement.create_table('"t"', KEY, REST, "at")

    assert sql == (
        'CREATE TABLE IF NOT EXISTS "t" ("id" text NOT NULL, "Họ tên" text, "n" integer, '
        '"at" timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY ("id"))'
    )


def test_delete_joins_on_all_columns_of_the_key() -> None:
    sql = statement.delete('"t"', statement.staged("stage"), [KEY[0], REST[1]])

    assert sql.endswith('WHERE t."id" = s."id" AND t."n" = s."n"')


def test_few_rows_are_parameters_read_without_a_length_so_that_nothing_is_cut_off() -> None:
    short = for_target(REST[0], "100%", "character varying(5)", "character varying")

    sql = statement.parametrised(statement.merge('"t"', statement.given([KEY[0], short]), KEY, [short], ""))

    assert (
        'FROM (SELECT "id"::text AS "id", "100%%"::character varying AS "100%%" '
        'FROM unnest(%s::text[], %s::text[]) AS p("id", "100%%")) AS s ON CONFLICT' in sql
    )
