"""What Prometheus sees. Labels come from closed lists (tasks, kinds, sources, outcomes): no user, id or text (I8)."""
