"""Files on disk: fixtures, training runs, and other people's checkpoints in their layouts."""
