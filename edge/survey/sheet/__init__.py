"""The station sheet: its fields, how what was typed is read, and the import of whole sheets. Without any I/O but the table reader."""
