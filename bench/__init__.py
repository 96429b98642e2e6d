"""Side-by-side benchmarks against the peers; ``make bench``. Not part of the package: uses it from outside."""
