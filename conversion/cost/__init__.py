"""What a network costs by its graph alone: multiply-accumulates, parameters, weights, memory of values, operators."""
