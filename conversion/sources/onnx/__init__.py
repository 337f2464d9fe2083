"""ONNX files as sources: checked, read as a network of torch, and run by ONNX Runtime as the reference."""
