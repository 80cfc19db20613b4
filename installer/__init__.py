"""The frozen appliance: how it is built, and how it proves itself."""
