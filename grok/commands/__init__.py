"""What each subcommand of ``grok`` does; ``grok.cli`` only parses and dispatches."""
