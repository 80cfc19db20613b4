"""Execute a model file on this machine: OpenVINO and ONNX Runtime behind one protocol."""
