"""The implicit surface around the fitted head."""
