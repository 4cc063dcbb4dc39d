"""The types every room speaks; the standard library and numpy only."""
