"""What holds a session to its limits, also one of many processes."""
