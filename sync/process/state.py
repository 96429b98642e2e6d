"""Local state, whose truth is a compacted topic: RocksDB by state topic and partition, rebuilt from Kafka.

A processor writes each state record to the topic in the transaction of its batch and to RocksDB only after the commit,
so the store never knows what Kafka does not. On assignment the topic is replayed from the last checkpoint to its end
(idempotent: the newest value of a key wins), which brings back what a crash between commit and ``put`` left out and
what another worker wrote meanwhile. One thread may ``get`` while another ``put``s.

A topic that the processor reads (the population register) can be held as state too: replayed to where its consumer
group stands, and moved on with each batch. Nobody writes its records a second time.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path

import rocksdict

from sync.kafka.client import end_offsets
from sync.kafka.replay import replay, topic_id

log = logging.getLogger(__name__)

CHECKPOINT_SECONDS = 10.0

CACHE_BYTES = 64 << 20

STALE_SECONDS = 12 * 3600.0
"""A folder left alone for longer is rebuilt: compaction forgets deletes after ``delete.retention.ms`` (a day)."""


Items = Sequence[tuple[bytes, bytes | None]]
"""Keys and values; None deletes."""

State = Mapping[tuple[str, int], Items]
"""Keys and values by state topic and partition."""

Get = Callable[[Sequence[bytes]], list[bytes | None]]

Form = Callable[[str, Items, Get], Items]
"""What the store holds in place of a topic's records: topic, records, and what it holds by now of keys."""


def _as_they_are(topic: str, items: Items, get: Get) -> Items:
    del topic, get
    return items


def only(root: Path, layout: str) -> Path:
    """The folder of ``layout`` in ``root``; those of other layouts are of no more use and go."""
    for other in root.iterdir() if root.exists() else ():
        if other.name != layout:
            shutil.rmtree(other)
    return root / layout


class StateStore:
    """Key → value by (state topic, partition). ``root`` is this worker's own folder: no two processes share one."""

    def __init__(self, bootstrap: str, root: Path, form: Form = _as_they_are) -> None:
        """``form``: what is stored of a topic's records; the records themselves by default."""
        self._bootstrap = bootstrap
        self._root = root
        self._form = form
        self._open: dict[tuple[str, int], _Part] = {}
        self._staged: dict[tuple[str, int], dict[bytes, bytes | None]] = {}
        # One cache for all partitions: memory stays bounded however many there are.
        self._cache = rocksdict.Cache(CACHE_BYTES)

    def open(self, topic: str, partition: int, until: int | None = None) -> None:
        """Make a partition usable: replay its topic from the checkpoint. Blocks; does nothing if it is open.

        ``until``: for a topic that is read, the offset that the group reads next; the topic's end by default.
        """
        if (topic, partition) in self._open:
            return
        part = _Part(self._root / topic / str(partition), self._cache, partial(self._form, topic))
        try:
            self._restore(part, topic, partition, until)
        except BaseException:
            # RocksDB locks its folder: the next attempt must be able to open it.
            part.close()
            raise
        self._open[topic, partition] = part

    def _restore(self, part: _Part, topic: str, partition: int, until: int | None) -> None:
        started, count = time.monotonic(), 0
        identity = topic_id(self._bootstrap, topic)
        ahead = until is not None and part.checkpoint > until
        if part.topic_id != identity or ahead or time.time() - part.saved_at > STALE_SECONDS:
            # Made anew, set back, or deletes may be compacted away: the folder can't be trusted.
            part.wipe()
            part.topic_id = identity
        with ThreadPoolExecutor(1, thread_name_prefix="restore") as writer:
            writing: Future[Items] | None = None
            for items, position in replay(self._bootstrap, topic, partition, part.checkpoint, until):
                # Written while the next records are read: both let go of the interpreter.
                if writing is not None:
                    writing.result()
                writing = writer.submit(part.write, items)
                part.checkpoint = position
                count += len(items)
            if writing is not None:
                writing.result()
        part.save(part.checkpoint)
        log.info("state %s/%d: %d records replayed in %.1f s", topic, partition, count, time.monotonic() - started)

    def release(self, topic: str, partition: int) -> None:
        """Close a partition, with a checkpoint if its position is known."""
        part = self._open.pop((topic, partition), None)
        if part is not None:
            part.close()

    def close(self) -> None:
        """Close all partitions; nothing is staged any more."""
        self._staged = {}
        for topic, partition in list(self._open):
            self.release(topic, partition)

    def get(self, topic: str, partition: int, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of ``keys``, None where there is none. Staged values count."""
        if not keys:
            return []
        staged = self._staged.get((topic, partition), {})
        values = self._open[topic, partition].get(keys)
        if staged:
            values = [staged.get(key, value) for key, value in zip(keys, values, strict=True)]
        return values

    def write(self, topic: str, partition: int, items: Items) -> Items:
        """Take in records of a held topic at once, before their batch is committed; returns what was stored.

        Only for a store that may be ahead of the group's offsets: one that reading the same records again ends alike.
        """
        return self._open[topic, partition].write(items)

    def scan(self, topic: str, prefixes: Iterable[bytes], most: int) -> list[bytes]:
        """Keys of all open partitions of a topic by their first bytes: up to ``most`` a prefix and partition."""
        found: list[bytes] = []
        wanted = list(prefixes)
        for (name, _), part in self._open.items():
            if name == topic:
                found += part.scan(wanted, most)
        return found

    def parts(self, topic: str) -> list[int]:
        """The open partitions of a topic."""
        return [partition for name, partition in self._open if name == topic]

    def walk(self, topic: str, partition: int, prefix: bytes, after: bytes, most: int) -> list[bytes]:
        """Keys of a partition by their first bytes, in their order: up to ``most`` behind ``after``."""
        return self._open[topic, partition].walk(prefix, after, most)

    def look(self, topic: str, keys: Sequence[bytes]) -> list[bytes | None]:
        """Values of ``keys``, each in the partition that has it; nothing staged counts. None where there is none."""
        values: list[bytes | None] = [None] * len(keys)
        for (name, _), part in self._open.items():
            if name == topic and keys:
                held = part.get(keys)
                values = [new if old is None else old for old, new in zip(values, held, strict=True)]
        return values

    def stage(self, state: State) -> None:
        """Let ``get`` see the state of a batch that is being committed, in place of what was staged before."""
        self._staged = {part: dict(items) for part, items in state.items()}

    def put(self, state: State, read: Mapping[tuple[str, int], int] | None = None) -> None:
        """Write committed state, which is no longer staged; now and then move the checkpoints.

        ``read``: the offsets that the group reads next, by topic and partition; a state topic that is not among them is
        this worker's own, whose checkpoint moves to its end.
        """
        ends = read or {}
        for (topic, partition), items in state.items():
            part = self._open.get((topic, partition))
            if part is None:
                continue
            part.write(items)
            if time.monotonic() - part.saved > CHECKPOINT_SECONDS:
                # Only this worker writes its own partition, and it has committed: the end is what the store holds.
                known = ends.get((topic, partition))
                part.save(end_offsets(self._bootstrap, [topic])[topic, partition] if known is None else known)
        self._staged = {}


class _Part:
    def __init__(self, path: Path, cache: rocksdict.Cache, form: Callable[[Items, Get], Items]) -> None:
        self._cache = cache
        self._form = form
        self._path = path
        self._mark = path / "checkpoint.json"
        self.checkpoint = 0
        self.topic_id = ""
        self.saved = 0.0
        self.saved_at = time.time()
        self._open()

    def _open(self) -> None:
        self._path.mkdir(parents=True, exist_ok=True)
        options = rocksdict.Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(16 << 20)
        options.set_max_write_buffer_number(2)
        options.set_compression_type(rocksdict.DBCompressionType.lz4())
        blocks = rocksdict.BlockBasedOptions()
        blocks.set_block_cache(self._cache)
        # Most look-ups of a first load find nothing: the filters say so without reading a block.
        blocks.set_bloom_filter(10, False)
        options.set_block_based_table_factory(blocks)
        options.set_memtable_whole_key_filtering(True)
        self.db = rocksdict.Rdict(str(self._path / "db"), options)
        # No log of its own: what a crash takes is replayed from the topic, from a checkpoint that was flushed before.
        self._writing = rocksdict.WriteOptions()
        # A property; the driver's stub tells of a method.
        self._writing.disable_wal = True  # type: ignore[method-assign, assignment]
        if self._mark.exists():
            mark = json.loads(self._mark.read_text())
            self.checkpoint, self.saved_at, self.topic_id = int(mark["offset"]), float(mark["at"]), str(mark["topic"])

    def wipe(self) -> None:
        self.db.close()
        shutil.rmtree(self._path)
        self.checkpoint = 0
        self._open()

    def get(self, keys: Sequence[bytes]) -> list[bytes | None]:
        return list(self.db[list(keys)] or ())

    def scan(self, prefixes: Iterable[bytes], most: int) -> list[bytes]:
        found: list[bytes] = []
        at = self.db.iter()
        for prefix in prefixes:
            at.seek(prefix)
            for _ in range(most):
                key = at.key() if at.valid() else None
                if key is None or not key.startswith(prefix):
                    break
                found.append(key)
                at.next()
        return found

    def walk(self, prefix: bytes, after: bytes, most: int) -> list[bytes]:
        found: list[bytes] = []
        at = self.db.iter()
        # The least key that is greater.
        at.seek(max(prefix, after + b"\0" if after else b""))
        while len(found) < most and at.valid() and (key := at.key()) is not None and key.startswith(prefix):
            found.append(key)
            at.next()
        return found

    def write(self, items: Items) -> Items:
        """Returns what was stored."""
        batch = rocksdict.WriteBatch(raw_mode=True)
        stored = self._form(items, self.get)
        for key, value in stored:
            if value is None:
                batch.delete(key)
            else:
                batch.put(key, value)
        self.db.write(batch, self._writing)
        return stored

    def save(self, offset: int) -> None:
        """Note that the store holds everything before ``offset``; the file is replaced in one step."""
        self.db.flush()
        self.checkpoint, self.saved = offset, time.monotonic()
        draft = self._mark.with_suffix(".new")
        draft.write_text(json.dumps({"offset": offset, "at": time.time(), "topic": self.topic_id}))
        draft.replace(self._mark)

    def close(self) -> None:
        self.db.close()
