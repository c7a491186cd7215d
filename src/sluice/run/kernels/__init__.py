"""The fused CPU kernels: the extension module, its programs, and autograd around them."""
