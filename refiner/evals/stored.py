"""The trajectories of a stored eval, each with what is right in it."""

from dataclasses import replace
from types import MappingProxyType

from refiner.domain.errors import UsageError
from refiner.evals.trajectory import Trajectory, trajectory
from refiner.store.sql import SqlStore


async def of_eval(store: SqlStore, name: str) -> list[Trajectory]:
    """What was refined of each item and is over, but for runs that were removed. Raises UsageError where nothing is."""
    results = await store.evals.results(name)
    found = []
    for answered in results.answered:
        sitting = answered.refined
        if sitting is None or not sitting.over or sitting.run is None:
            continue
        recorded = trajectory(sitting.run, await store.events(sitting.run))
        right = MappingProxyType({mark.place: mark.right for mark in sitting.marks})
        label = f"#{answered.replicate}" if results.eval.replicates > 1 else ""
        found.append(replace(recorded, id=f"{answered.item.id}{label}", right=right))
    if not found:
        raise UsageError(f"eval {name} has no refined answer yet: there is nothing to replay")
    return found
