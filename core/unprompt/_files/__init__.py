"""Files: written atomically, hashed, and cached under a hash of what they depend on."""
