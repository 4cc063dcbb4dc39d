"""First stages: a query in, the best documents of the whole collection out.

`analysis` makes terms of text, `indexing` counts them into a folder, `index` reads it, `bm25` scores,
`kept` builds an index once and keeps it.
"""
