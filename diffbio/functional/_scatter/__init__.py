"""The scatter of cells about centroids, and the distances between centroids."""
