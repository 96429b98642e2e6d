"""A labelled corpus of damaged personnel records: each row says what cleaning must make of it.

Error classes follow DOMAIN.md §1.5, §3 and §7.2-7.5. ``build`` draws a corpus from a seed and a mixture, ``score``
compares cleaning with the labels. The truth comes from the demo's invented people, never from the project's cleaning.
"""
