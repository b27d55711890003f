"""The transports that come with iucore. Each module can be imported only where its extra is installed."""
