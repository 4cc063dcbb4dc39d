"""Other people's search engines as first stages, asked over their REST interfaces.

`engine` is the first stage that they all are: topics in order, many requests under way at once, lists in the canonical
order. A file beside it is one engine's dialect: how a query is put, how more than a page is asked for, where a
document's id, score and texts stand in the reply. `address` says which one is meant.
"""
