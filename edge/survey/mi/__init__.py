"""The Marine Institute's tables, read and written with exactly their headers: each dialect by its name."""
