"""What `rnnxai doctor` looks at: the environment, the data, the cluster, the disk."""
