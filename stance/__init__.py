"""Actor stance toward a peace process: the library that training and serving share."""

__version__ = "0.1.0"
