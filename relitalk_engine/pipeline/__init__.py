"""The stages in order, and nothing else."""
