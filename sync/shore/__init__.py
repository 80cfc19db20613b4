"""What shore does with the bundles of its ships: one database of them all, each row once, whatever came twice or late."""
