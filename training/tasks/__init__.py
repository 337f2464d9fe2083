"""What differs by task when a model is trained. `defaults.py` needs no torch; `table.py` has the rest."""
