"""The real Fourier basis over Z_p, one- and two-dimensional spectra, and key frequencies."""
