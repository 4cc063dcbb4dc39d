"""How good is a run: measures over a run and judgements, what they must reach, and how they are written down."""
