"""Programs in TextGrad's words."""
