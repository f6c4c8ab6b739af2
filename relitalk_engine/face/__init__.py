"""The face in the clip: landmarks, the fitted head, its regions and matte."""
