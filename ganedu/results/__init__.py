"""Tables that lessons quote, measured by the scripts in benchmarks/, which write them here and nowhere else."""
