"""What is trained: tasks, the training loop, sampling, structural pruning and storage.

A *task* (:mod:`credit_plugin.diffusion.tasks`) knows one kind of diffusion model: how its network
is built, what its loss is and how its samples are drawn. Everything else here works on any task.
"""
