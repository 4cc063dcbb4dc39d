"""First stages: a query in, the best documents of the whole collection out.

`analysis` and `languages` make terms of text, `chunks` counts them and `indexing` merges the counts into a folder,
`index` reads it, `variants` says what a term gives, `maxscore` finds the best sums, `bm25` puts them together, `rm3`
asks it again with the words of documents, `kept` builds an index once and keeps it.
"""
