"""A ComfyUI graph: which samplers made the image, and what texts they were given."""
