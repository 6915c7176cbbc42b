"""Many runs: a recipe × seeds × a grid, on this machine's processors or on a Ray cluster, resumably."""
