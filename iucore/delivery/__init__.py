"""Delivery: what sends events to others. A transport is imported only where something is to be sent."""
