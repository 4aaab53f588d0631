"""What the node `reconstructor` is made of. Read `jobs.py` first: record, reconstruct in a process, show."""
