"""What refiner costs beside what it is compared with, measured side by side in one run: `python -m benchmarks`."""
