"""Public architectures, converted to every format and judged: what `samesight zoo` runs and docs/zoo.md shows."""
