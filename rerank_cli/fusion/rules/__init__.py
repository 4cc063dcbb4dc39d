"""One file a rule, each with its record in `RULE`."""
