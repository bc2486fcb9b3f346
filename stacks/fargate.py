"""The CPU and memory that Fargate sells, and how many vCPUs a service takes of which capacity.

Source: Amazon ECS Developer Guide, "Task size" for Fargate.
"""

from math import ceil
from types import MappingProxyType
from typing import Final

from stacks.service_settings import Service

TASKS_NEVER_ON_SPOT: Final = 2
"""The first tasks of a service, which `spot_percent` below 100 leaves on demand."""

MEMORY_BY_CPU: Final = MappingProxyType(
    {
        256: (512, 1024, 2048),
        512: tuple(range(1024, 4096 + 1, 1024)),
        1024: tuple(range(2048, 8192 + 1, 1024)),
        2048: tuple(range(4096, 16384 + 1, 1024)),
        4096: tuple(range(8192, 30720 + 1, 1024)),
        8192: tuple(range(16384, 61440 + 1, 4096)),
        16384: tuple(range(32768, 122880 + 1, 8192)),
    }
)
"""Memory sizes in MiB by CPU units (1024 units are one vCPU)."""


def problem_with(cpu: int, memory: int) -> tuple[str, str] | None:
    """None when Fargate sells the pair; else which of `cpu` and `memory` is wrong, and what is allowed."""
    sizes = MEMORY_BY_CPU.get(cpu)
    if sizes is None:
        return "cpu", f"one of {_listed(tuple(MEMORY_BY_CPU))} CPU units"
    if memory not in sizes:
        return "memory", f"with cpu = {cpu} one of {_listed(sizes)} MiB"
    return None


def vcpus(service: Service, tasks: int) -> tuple[float, float]:
    """Returns the vCPUs that so many tasks of a service take on demand, and on Spot."""
    on_spot = max(0, tasks - TASKS_NEVER_ON_SPOT) * service.spot_percent / 100
    on_demand = ceil(tasks - on_spot) if service.spot_percent < 100 else 0
    return on_demand * service.cpu / 1024, (tasks - on_demand) * service.cpu / 1024


def _listed(numbers: tuple[int, ...]) -> str:
    if len(numbers) <= 7:
        return ", ".join(str(number) for number in numbers)
    return f"{numbers[0]} to {numbers[-1]} in steps of {numbers[1] - numbers[0]}"
