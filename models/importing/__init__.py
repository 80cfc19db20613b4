"""Turn a model file that somebody brings (`.onnx`, OpenVINO IR, and `.pt` by way of the workshop) into a pack."""
