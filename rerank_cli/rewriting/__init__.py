"""Queries and documents in other words: a model that writes is asked, and whatever it says becomes valid topics and texts."""
