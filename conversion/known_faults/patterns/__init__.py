"""Patterns: functions from a network to the operators that have it. The row of each says it in words."""
