workers = 2
threads = 8  # share the client of their worker
timeout = 30  # seconds until a silent worker is killed: longer than the client's `timeout=20`
graceful_timeout = 30  # seconds for the last requests of a server that stops
forwarded_allow_ips = "127.0.0.1"  # the proxy whose X-Forwarded-Proto is believed
