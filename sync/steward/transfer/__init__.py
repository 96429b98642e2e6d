"""Transfer of the records of merged units: plan, apply, status, undo and a signed report (``docs/transfer.md``)."""
