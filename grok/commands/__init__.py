"""The subcommands of ``grok``. ``grok.cli`` only parses and dispatches."""
