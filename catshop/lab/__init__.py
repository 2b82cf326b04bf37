"""Break it: named faults of the reference server, for those who want to see what a check is for."""
