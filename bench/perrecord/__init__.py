"""The work of validate and reconcile as a program that handles one record at a time, to measure ours against.

Written as a careful Python programmer would write it without columns: dictionaries, ``fastavro``, one function a
rule, look-ups in dicts and sets, regular expressions compiled once. What odd values mean is asked of the same
functions as ours asks (``sync.rule``), so that both give the same records. ``program`` runs it on a plain consumer
and producer, ``stock_faust`` in an agent of an unchanged Faust.
"""
