"""Every metric's name, labels and meaning, in one place (docs/metrics.md is generated from it).

Labels are of low cardinality and never hold a record's value.
"""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

SOURCE_EVENTS = Counter("dongbo_source_events", "Change events captured", ["connector", "topic", "op"])
SOURCE_SUPPRESSED = Counter(
    "dongbo_source_suppressed", "Changes that our own sinks had written, told by their origin", ["connector"]
)
TRANSFORM_DROPPED = Counter(
    "dongbo_transform_dropped", "Records that a connector's transforms left out", ["connector", "topic"]
)
SOURCE_TRANSACTIONS = Counter("dongbo_source_committed_transactions", "Source transactions captured", ["connector"])
SOURCE_LAG = Gauge(
    "dongbo_source_behind_milliseconds",
    "MilliSecondsBehindSource: commit at the source to commit in Kafka, last batch",
    ["connector"],
)
SNAPSHOT_RUNNING = Gauge("dongbo_source_snapshot_running", "SnapshotRunning: 1 while a snapshot runs", ["connector"])
SNAPSHOT_COMPLETED = Gauge(
    "dongbo_source_snapshot_completed", "SnapshotCompleted: 1 once a snapshot is complete", ["connector"]
)
SNAPSHOT_ABORTED = Gauge(
    "dongbo_source_snapshot_aborted",
    "SnapshotAborted: 1 after a snapshot ended early; the next start goes on with it",
    ["connector"],
)
SNAPSHOT_TABLES = Gauge("dongbo_source_snapshot_tables", "TotalTableCount: tables of the last snapshot", ["connector"])
SNAPSHOT_TABLES_LEFT = Gauge(
    "dongbo_source_snapshot_tables_left", "RemainingTableCount: tables that are not yet read whole", ["connector"]
)
SNAPSHOT_TABLE_RUNNING = Gauge(
    "dongbo_source_snapshot_table_running",
    "1 while a snapshot has rows of a table left to read, 0 once it is read whole",
    ["connector", "topic"],
)
SNAPSHOT_TABLE_ROWS = Gauge(
    "dongbo_source_snapshot_table_estimated_rows",
    "Rows that the server's statistics expect in a table that a snapshot reads; "
    "beside dongbo_source_snapshot_rows it tells how far the table is",
    ["connector", "topic"],
)
SNAPSHOT_SECONDS = Gauge(
    "dongbo_source_snapshot_seconds", "SnapshotDurationInSeconds: time since the snapshot began", ["connector"]
)
INCREMENTAL_RUNNING = Gauge(
    "dongbo_source_incremental_snapshot_running",
    "1 while an incremental snapshot runs and is not paused",
    ["connector"],
)
INCREMENTAL_CHUNKS = Counter(
    "dongbo_source_incremental_snapshot_chunks", "Chunks of incremental snapshots written", ["connector", "topic"]
)
SNAPSHOT_ROWS = Counter("dongbo_source_snapshot_rows", "RowsScanned: rows read by snapshots", ["connector", "topic"])
SINK_ROWS = Counter("dongbo_sink_rows", "Rows written to targets", ["connector", "topic", "kind"])
SINK_BATCH_SECONDS = Histogram(
    "dongbo_sink_batch_seconds", "Time of one batch's transaction in the target", ["connector"]
)
TASK_STATE = Gauge("dongbo_task_running", "1 while a task is RUNNING, 0 otherwise", ["connector", "task"])
TASK_RESTARTS = Counter("dongbo_task_restarts", "Automatic restarts of a task", ["connector", "task"])
TASK_STALLED = Gauge(
    "dongbo_task_stalled", "1 while a task commits nothing although there is something to do", ["connector", "task"]
)
WORKER_LEADER = Gauge("dongbo_worker_leader", "1 on the worker that leads its group")
WORKER_SLOTS = Gauge("dongbo_worker_slots", "Slots of the group that this worker owns")
WORKER_REBALANCES = Counter("dongbo_worker_rebalances", "Changes of the slots that this worker owns")
PROCESSOR_RECORDS = Counter("dongbo_processor_records", "Records by stage and outcome", ["stage", "dataset", "outcome"])
RELATION_JUDGED = Counter("dongbo_relation_judged", "Golden records judged by rules across datasets", ["dataset"])
RELATION_FINDINGS = Counter(
    "dongbo_relation_findings", "Golden records of which rules across datasets now find another thing", ["dataset"]
)
PROCESSOR_BATCH_SECONDS = Histogram(
    "dongbo_processor_batch_seconds", "Time of one batch, from poll to commit", ["stage"]
)
PROCESSOR_RETRIES = Counter("dongbo_processor_batch_retries", "Batches aborted and tried again", ["stage"])

COVERAGE_RECEIVED = Gauge("dongbo_coverage_received_changes", "Changes received from a source", ["dataset", "source"])
COVERAGE_SILENCE = Gauge("dongbo_coverage_silence_seconds", "Time since a source's last change", ["dataset", "source"])
OUTCOMES_PER_MINUTE = Gauge(
    "dongbo_outcomes_per_minute",
    "Changes by outcome since the minute by the clock began",
    ["dataset", "source", "outcome"],
)
QUALITY_FINDINGS = Gauge(
    "dongbo_quality_findings", "Findings of a rule in a source's records", ["dataset", "source", "rule", "kind"]
)
QUALITY_SCORE = Gauge(
    "dongbo_quality_score",
    "Per cent of a criterion, or of all (total), of a source's rows as they are now; source * is all",
    ["dataset", "source", "criterion"],
)
QUALITY_UNIT_SCORE = Gauge(
    "dongbo_quality_unit_score", "Per cent of all criteria of a body's rows as they are now", ["dataset", "unit"]
)
QUALITY_ROWS = Gauge("dongbo_quality_rows", "Rows of a source as they are now", ["dataset", "source"])
QUALITY_KEYS = Gauge(
    "dongbo_quality_key_identifiers",
    "1 while no key identifier of a source's rows is at fault, else 0: a severe incident",
    ["dataset", "source"],
)
COVERAGE_BODIES = Gauge(
    "dongbo_coverage_bodies", "Bodies by what they report: expected, reporting, fresh", ["dataset", "kind"]
)
