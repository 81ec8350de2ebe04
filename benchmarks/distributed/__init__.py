"""The losses in several processes that compute as one, beside one process with one device."""
