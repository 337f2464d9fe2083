"""TFLite files through ONNX and TensorFlow, in environments of their own (`samesight setup classic`)."""
