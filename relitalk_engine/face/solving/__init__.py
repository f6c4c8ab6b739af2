"""The terms of the whole-clip fit, and what minimises them."""
