"""The server model becomes a bundle of judged artifacts."""
