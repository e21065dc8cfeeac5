"""The `maniskill` domain: ManiSkill3 on CPU physics (arXiv 2410.00425), with some environments of our own.

Every scene, even where only states are wanted, needs a Vulkan driver. Tasks with objects of the YCB set, an xArm
or an ANYmal need downloads too: `newt-bench assets download`.
"""

from __future__ import annotations

from newt_bench import assets
from newt_bench.catalogue import Task
from newt_bench.envs.maniskill import loading

loading.import_mani_skill()
from newt_bench.envs.maniskill import environments, vulkan  # noqa: E402
from newt_bench.envs.maniskill.guards import quiet, rare_garbage_collection, usual_torch  # noqa: E402
from newt_bench.envs.maniskill.simulation import ManiSkillSimulation  # noqa: E402
from newt_bench.errors import InputError  # noqa: E402

__all__ = ["ManiSkillSimulation", "make"]


def make(task: Task, settled_height: bool = False) -> ManiSkillSimulation:
    """Builds the simulation of a ManiSkill environment; `task.settings` go to its constructor.

    Args:
        task: The task.
        settled_height: For the `ms-push-*` tasks alone: success asks for the object to rest on the table at its
            own height, rather than below 0.045 m whatever the object. The published benchmark has the latter, which
            an upright can never meets; scores with this option must not be compared with it.

    Raises:
        MissingAssetsError: The task needs downloads; the message names the command.
        RenderingError: There is no Vulkan driver.
        InputError: The task has no such option.
    """
    settings = dict(task.settings)
    if settled_height:
        if task.simulator_id != "PushYCB-v1":
            raise InputError(f"{task.id} has no option 'settled_height'; the ms-push-* tasks with a YCB object do")
        settings["settled_height"] = True
    assets.require(task.assets, loading.asset_folder(), task.name)
    device = vulkan.choose_device()
    with usual_torch(), quiet(), rare_garbage_collection():
        environment = environments.build(task.simulator_id, device.backend, settings)
    return ManiSkillSimulation(environment, task.action_repeat, device)
