"""rerank: the command-line toolkit for reranking TREC runs."""

__version__ = "0.1.0"
