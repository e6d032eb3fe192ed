"""Checks for one GPU of 80 GB without a network, in under ten minutes: ``python -m benchmarks.gpu PART... [--toy]``.

Three parts that stand alone: ``loop`` (the embedded loop), ``rates`` (a Llama-3-8B shape with random weights) and
``student`` (a small experiment with a model in a local folder). ``--toy`` rehearses each on a CPU.
"""
