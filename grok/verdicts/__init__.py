"""What came of claims: verdicts, what is expected of them, their spread over seeds. Imports no torch."""
