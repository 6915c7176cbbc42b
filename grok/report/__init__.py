"""What a reviewer opens and what CI decides by, both made from verdicts.json alone."""
