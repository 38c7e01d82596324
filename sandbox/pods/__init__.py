"""A stand-in for the kubelet that runs a pod's containers as local processes."""
