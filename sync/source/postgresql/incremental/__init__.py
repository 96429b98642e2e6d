"""Snapshots of tables while the log is followed, asked for by signals (Debezium's incremental snapshots).

``signal`` reads what is asked for, from the signal table's own changes or from a topic (``channel``); ``state`` is
what is left to do, kept in the source offset; ``chunk`` reads a piece of a table in a thread; ``window`` leaves out
rows that the log changes meanwhile; ``run`` puts them together for the stream. Why no stale row overwrites a newer
one: docs/adr/0007.
"""
