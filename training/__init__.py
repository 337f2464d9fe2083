"""Images become the server model."""
