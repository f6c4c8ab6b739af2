"""Reads the head models of a user's own files."""
