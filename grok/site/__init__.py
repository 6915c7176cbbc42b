"""What readers get from the repository: docs/measures.md, the notebook with its outputs, and the static site."""
