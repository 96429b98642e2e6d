"""The first reading of the tables, before the log: as of one exported snapshot, in chunks, by several connections.

``phase`` (called by the task) decides whether to read and with what slot; ``plan`` cuts tables into ``chunk``s;
``reader`` copies them in threads, ``rows`` turns COPY's text into records; ``initial`` puts the pieces into batches;
``progress`` is what the source offset keeps of it, ``seen`` what of it the stream must know. How a reading goes on
after a crash: docs/adr/0006.
"""
