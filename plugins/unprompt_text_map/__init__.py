"""A closed-form linear map from CLIP's text embeddings to the target space, used on images."""
