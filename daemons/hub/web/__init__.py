"""The HTTPS face of the desk, on 3080: discovery, login, health, metrics. Thin, as `rpc` is."""
