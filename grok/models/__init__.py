"""The models as their field knows them: hooked definitions, and weights written down by hand."""
