"""Models that are asked in words: prompts as data, what is written read as numbers, who writes. The methods are beside this folder."""
