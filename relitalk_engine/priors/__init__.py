"""What ships with the engine because it was made once, and the programs that made it."""
