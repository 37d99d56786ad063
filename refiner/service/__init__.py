"""The service: it owns the queue, keeps runs alive, and lets any number of front ends look on and steer."""
