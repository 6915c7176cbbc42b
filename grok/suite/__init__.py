"""The pytest plugin: runs each claim on its subjects and prints the table."""
