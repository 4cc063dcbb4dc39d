"""The command line: the only room that knows argv, streams, terminals and exit codes."""
