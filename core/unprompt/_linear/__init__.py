"""Linear layers in float32, computed by the quicker of the two libraries that PyTorch brings."""
