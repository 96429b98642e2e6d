"""When is everything through? Asked of those who know: replication slots, consumer groups, sinks and the ledger.

``Settling.wait`` follows the data path: every source has confirmed the log up to now, the processors have read all of
their topics, the sinks theirs; then, because the sinks' writes are captured (and suppressed) again, every source has
confirmed those too, and the ledger balances. No pause stands for a condition.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import psycopg

from sync.demo.database import Dsn
from sync.demo.process import wait_until
from sync.demo.registration import sink_name
from sync.demo.site import CENTRE, Site
from sync.demo.tally import Tally
from sync.kafka import KafkaException, TopicPartition
from sync.kafka.client import committed_offsets, consumer, topic_partitions, translate
from sync.schema.dataset import load
from sync.schema.derived import topic

Positions = dict[tuple[str, int], int]
"""(topic, partition) → offset of the next record to be read."""

VALIDATE_GROUP, RECONCILE_GROUP = "dongbo-validate", "dongbo-reconcile"


class Settling:
    """Knows all stages of one demo. ``watch`` is called with the stage at every look (progress, dead processes)."""

    def __init__(
        self,
        bootstrap: str,
        dsn: Dsn,
        sites: tuple[Site, ...],
        tally: Tally,
        watch: Callable[[str], None],
        *,
        seconds: float,
    ) -> None:
        self._bootstrap = bootstrap
        self._dsn = dsn
        self._sites = sites
        self._tally = tally
        self._watch = watch
        self._seconds = seconds
        self._probe = consumer(bootstrap, "dongbo-demo-probe", enable_partition_eof=True)
        names = {table.dataset for site in sites for table in site.tables}
        registers = {policy.register for name in names if (policy := load(name).policy).register}
        self._valid = {topic(name, "valid") for name in names} | {topic(name, "golden") for name in registers if name}

    def wait(self, own: Mapping[str, int]) -> None:
        """Return when all is quiet; ``own``: changes made in each source table. Raises Unavailable naming the stage."""
        self._until(lambda: self._counted(own), "The capture of all changes")
        quiet = False
        while not quiet:
            self._confirmed()
            self._until(self._validated, "The processor validate")
            self._until(self._reconciled, "The processor reconcile")
            self._until(self._sunk, "The sinks")
            self._confirmed()
            self._until(self._balanced, "The ledger's balance")
            # A transaction's marks reach its partitions one by one: what was at its end must be so at a second look.
            quiet = self._validated() and self._reconciled() and self._sunk() and self._balanced()

    def close(self) -> None:
        """Close the connections."""
        self._probe.close()

    def _until(self, condition: Callable[[], bool], what: str) -> None:
        def look() -> bool:
            self._watch(f"waiting for: {what}")
            return condition()

        wait_until(look, what, seconds=self._seconds, hint="read the logs of the worker and the processors")

    def _counted(self, own: Mapping[str, int]) -> bool:
        self._tally.refresh()
        return all(self._tally.counts.own(name) >= number for name, number in own.items())

    def _balanced(self) -> bool:
        self._tally.refresh()
        return not self._tally.counts.unbalanced()

    def _confirmed(self) -> None:
        """Every slot has confirmed what is in the log now."""
        slots = [f"dongbo_{site.name}" for site in self._sites]
        with psycopg.connect(self._dsn("postgres"), autocommit=True) as connection:
            now = connection.execute("SELECT pg_current_wal_lsn()").fetchone()
            confirmed = "slot_name = ANY(%s) AND confirmed_flush_lsn >= %s::pg_lsn"
            query = f"SELECT count(*) FROM pg_replication_slots WHERE {confirmed}"

            def passed() -> bool:
                row = connection.execute(query, (slots, now[0] if now else None)).fetchone()
                return row is not None and row[0] == len(slots)

            self._until(passed, "The sources' confirmation")

    def _validated(self) -> bool:
        return self._read(VALIDATE_GROUP, [name for site in self._sites for name in site.topics])

    def _reconciled(self) -> bool:
        return self._read(RECONCILE_GROUP, self._valid)

    def _read(self, group: str, topics: Iterable[str]) -> bool:
        """Whether a group has read its topics to their ends; ends are looked at after the group's offsets."""
        committed = committed_offsets(self._bootstrap, group)
        return self._at_end(self._from_start(topics) | committed)

    def _sunk(self) -> bool:
        return all(self._at_end(self._written(name)) for name in (CENTRE, *(s.name for s in self._sites if s.locality)))

    def _written(self, database: str) -> Positions:
        """What the sink into ``database`` has written, by the target's own record."""
        with psycopg.connect(self._dsn(database), autocommit=True) as connection:
            found = connection.execute(
                "SELECT topic, partition, next_offset FROM dongbo_sink_offsets WHERE connector = %s",
                (sink_name(database),),
            ).fetchall()
        positions = {(str(name), int(partition)): int(offset) for name, partition, offset in found}
        return self._from_start({name for name, _ in positions}) | positions

    def _from_start(self, topics: Iterable[str]) -> Positions:
        known = topic_partitions(self._bootstrap)
        return {(name, number): 0 for name in topics for number in range(known.get(name, 0))}

    def _at_end(self, positions: Positions) -> bool:
        """Whether no committed record follows any position: behind the last one there may be control records only."""
        if not positions:
            return False
        try:
            self._probe.assign([TopicPartition(name, number, offset) for (name, number), offset in positions.items()])
            ended: set[tuple[str | None, int | None]] = set()
            while len(ended) < len(positions):
                message = self._probe.poll(5.0)
                if message is None or message.error() is None:
                    return False
                ended.add((message.topic(), message.partition()))
            return True
        except KafkaException as error:
            raise translate(error) from error
        finally:
            self._probe.unassign()
