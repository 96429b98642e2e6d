"""Writing to a source table while it is captured."""

from __future__ import annotations

import threading

import psycopg

from tests.eventually import eventually
from tests.integration.capturing import Source


class Writer:
    """Inserts, updates and deletes all over the table until it is left."""

    def __init__(self, source: Source, rows: int) -> None:
        self._source = source
        self._rows = rows
        self._halt = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self.transactions = 0

    def __enter__(self) -> Writer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._halt.set()
        self._thread.join()

    def _write(self) -> None:
        number = 0
        with psycopg.connect(self._source.dsn, autocommit=True) as connection:
            while not self._halt.is_set():
                number += 1
                at = number * 7919 % self._rows + 1
                with connection.transaction():
                    connection.execute("update can_bo set ho_ten = 'sửa ' || %s where id = %s", (number, at))
                    connection.execute("delete from can_bo where id = %s", (number * 104_729 % self._rows + 1,))
                connection.execute(
                    "insert into can_bo values (%s, 'mới') on conflict (id) do update set ho_ten = 'lại'",
                    (number * 15_485_863 % (2 * self._rows) + 1,),
                )
                self.transactions += 2

    def wait(self, transactions: int) -> None:
        assert eventually(lambda: self.transactions >= transactions)


def settle(source: Source) -> None:
    """Wait until the connector has committed all changes up to now, and stop it."""
    with psycopg.connect(source.dsn, autocommit=True) as connection:
        row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()
        assert row is not None

        def reached() -> bool:
            if source.slot()[0] >= row[0]:
                return True
            # The end of what is flushed moves by what others write.
            connection.execute("select pg_logical_emit_message(true, 'test', '')")
            return False

        assert source.eventually(reached, 60)
    source.stop()
