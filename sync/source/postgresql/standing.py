"""Keys of Debezium's PostgreSQL connector that this one has not: what is harmless to give, and what is refused.

Read by ``setting``. A key belongs in one place only: here or in ``key``; ``tests/unit/source/test_pg_standing.py``
holds each key of Debezium 3.4 against that.
"""

from __future__ import annotations

_NO_JAVA = "this connector loads no Java class; remove the key."
_NOT_YET = "this connector does not have it; remove the key, or keep Debezium for this source."

ACCEPTED = {
    r"connection\.validation\.timeout\.ms": "a server that doesn't answer within 10 s counts as not reachable.",
    r"database\.query\.timeout\.ms": "queries of the catalogs and of the snapshot have no limit of time.",
    r"custom\.metric\.tags": "there is no JMX bean to name; label the metrics where Prometheus scrapes them.",
    r"custom\.sanitize\.pattern": "a configuration is never logged; passwords are masked by their type.",
    r"errors\.max\.retries": "the worker starts a task again for as long as a server doesn't answer.",
    r"retriable\.restart\.connector\.wait\.ms": "the worker chooses the pause before it starts a task again.",
    r"executor\.shutdown\.timeout\.ms": "a task ends when its last batch is committed.",
    r"extended\.headers\.enabled": "records have no headers; the source block says where they come from.",
    r"internal\..*": "it steers Debezium's internals.",
    r"lsn\.flush\.timeout\.(ms|action)": "the position is told to the server without waiting for an answer.",
    r"max\.queue\.size(\.in\.bytes)?": "there is no queue: what is read and not committed is at most one batch.",
    r"openlineage\.integration\.(?!enabled$).*": "without openlineage.integration.enabled=true it says nothing.",
    r"query\.fetch\.size": "rows of the catalogs are few and read at once.",
    r"snapshot\.lock\.timeout\.ms": "no table is locked; a lock of somebody else's is waited for.",
    r"snapshot\.fetch\.size": "COPY streams the rows; memory is bounded by max.batch.size.",
    r"sanitize\.field\.names": "names are always adjusted to Avro's rules.",
    r"schema\.refresh\.mode": "pgoutput describes a table before its first change after each change of its definition.",
    r"signal\.kafka\.groupId": "the position in signal.kafka.topic is kept in the source offset, not in a group.",
    r"signal\.(poll\.interval|kafka\.poll\.timeout)\.ms": "signals are looked for with every reading of the log.",
    r"topic\.cache\.size": "a topic's name is kept with the table's schema.",
}
"""Regular expressions of keys that may be given and change nothing, with what happens instead."""

UNSUPPORTED = {
    r"signal\.file": "signals come from the source's table or from Kafka; use signal.enabled.channels.",
    r"snapshot\.mode\..*": "snapshot.mode has neither configuration_based nor custom; choose another mode.",
    r"snapshot\.(query|locking)\.mode\.custom\.name": _NO_JAVA,
    r"topic\.(regex|replacement|key\..*)": "they belong to topic.naming.strategy's other classes; remove the key.",
    r"offset\.mismatch\.strategy": _NOT_YET,
    r"converters": f"a custom converter is a Java class, and {_NO_JAVA}",
    r"post\.processors": f"a post-processor is a Java class, and {_NO_JAVA}",
    r"database\.sslfactory": f"{_NO_JAVA} libpq reads database.sslrootcert, sslcert and sslkey.",
    r"driver\..*": "there is no JDBC driver; remove the key.",
    r"slot\.stream\.params": "the parameters of pgoutput are this connector's own; remove the key.",
}
"""Regular expressions of keys that are an error, with the reason and a remedy."""
