"""What differs between databases, one file each: how connections are made, and which errors are nobody's fault."""
