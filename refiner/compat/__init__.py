"""The names of other packages, over refiner's own."""
