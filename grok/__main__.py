"""``python -m grok`` is the ``grok`` command."""

from grok.cli import main

main()
