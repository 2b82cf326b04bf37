"""Storage of the protocol plane: one repository a port, in SQL for any engine."""
