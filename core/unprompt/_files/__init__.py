"""Files: written by rename, hashed, and cached by what they depend on."""
