"""ONNX graphs: the backbone through Optimum, and what is appended to it, one idea a file."""
