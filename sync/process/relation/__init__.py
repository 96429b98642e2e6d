"""Rules that read other datasets' golden records: judged from an index of what belongs together (docs/adr/0024).

``layout`` says what is kept, ``index`` keeps it, ``backlog`` knows what is to be judged, ``judgement`` judges,
``finding`` tells and takes back, ``step`` is the agent's work.
"""
