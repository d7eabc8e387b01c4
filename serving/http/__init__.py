"""What stands around the service over HTTP: admission, keys, connections, the log, metrics, and its documents."""
