"""What a data steward works with: why a golden record is as it is, and the cases that a person decides."""
