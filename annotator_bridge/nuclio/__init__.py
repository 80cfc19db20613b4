"""Folders that a real Nuclio deploys: for who wants functions in containers of their own, beside or instead of the appliance's facade."""
