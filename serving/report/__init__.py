"""The report: one HTML file, and the network as files, from the rows of a batch. docs/report.md tells its use."""
