"""Verdicts of claims, the expected verdicts, and the spread over seeds. This package imports no torch."""
