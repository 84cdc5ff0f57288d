package cluster_test

func runHelper() bool { return false }
