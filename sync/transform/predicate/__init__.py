"""Predicates, one file a class; each module exports ``KIND``."""
