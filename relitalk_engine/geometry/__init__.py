"""Geometry of the fitted head: ray casting, normals, self-shadowing. Camera frame, metres."""
