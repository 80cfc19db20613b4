"""What shore does: keys, signatures, and a folder of signed models that any web server or stick can carry."""
