"""Maps over processes and machines."""
