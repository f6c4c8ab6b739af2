"""Measuring: figures between a result and a truth, and the tables made of them."""
