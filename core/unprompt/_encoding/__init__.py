"""Sentence encoders without padding: batches of tokens, and BERT's forward pass over them."""
