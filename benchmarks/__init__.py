"""Speed and fidelity, printed as tables; see README.md here."""
