"""What a watched folder does with the files that fall into it."""
