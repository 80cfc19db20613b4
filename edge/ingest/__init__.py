"""Find files, wait until they are whole, and give each content one identity."""
