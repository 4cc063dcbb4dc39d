"""Servers over HTTP: one request, many servers asked as one, what they refuse and what they cost."""
