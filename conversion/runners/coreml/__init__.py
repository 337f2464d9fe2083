"""Core ML without a Mac: a saved ML program is read back, evaluated with torch and compared with the server model.

docs/core-ml.md has the limits of this.
"""
