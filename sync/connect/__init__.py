"""The control plane: Kafka Connect's REST API, connector configurations, and the tasks of one worker.

``service`` composes a worker process; ``worker`` decides what runs, ``supervision`` runs and heals it, ``rest`` answers
clients, ``registrations`` and ``status`` keep everything in Kafka, ``command`` holds the command line.
"""
