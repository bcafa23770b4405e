"""What a run leaves behind: the names of its files, their content as types, and one reader."""
