"""Who looks at pixels for the desk of scans: a process for each scan, and the cutting of single objects."""
