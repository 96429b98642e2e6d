"""PostgreSQL, log based: snapshot, then the changes by logical decoding (pgoutput), in Debezium's envelope.

The worker finds ``PLUGIN``. The way of a change: ``replication`` (connection) → ``capture`` (protocol, positions) →
``transcoder`` (columns) → ``route`` (topic, schemas) → ``sync.source.commit`` (Kafka transaction); ``stream`` and
``snapshot`` drive it, ``task`` puts them together. Needs PostgreSQL 13 or newer with ``wal_level=logical``.
"""

from sync.source.postgresql.plugin import PostgreSQL

PLUGIN = PostgreSQL()

__all__ = ["PLUGIN"]
