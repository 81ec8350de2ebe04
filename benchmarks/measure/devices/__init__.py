"""Programs of several devices, which are compiled and not run."""
