"""One scan from the scanner's files to measured objects, their vignettes and a clean picture, kept in one folder."""
