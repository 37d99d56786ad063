"""refiner makes one answer better while it is being asked for."""
