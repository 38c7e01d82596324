"""A local world with a simulated Azure, for the demo, the tests and the benchmarks. The operator never imports it."""
