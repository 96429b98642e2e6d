"""Conditions on a record in SQL: what a data steward writes in ``rules.yaml``, checked and typed, run by Polars.

``compiler`` turns a text into a ``Value`` (``value``) or says what is wrong and where (``Mistake``); ``function`` is
the list of functions; ``lookup`` reads reference tables; ``kind`` holds the types. Nothing here does I/O.
"""
