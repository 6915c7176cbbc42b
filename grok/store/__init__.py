"""What lies on disk: fixtures, training runs, and checkpoints of other people in their layouts."""
