"""``python -m sei.lit.worker JOB``: one process of several, started by torchrun, each on a device of its own.

JOB is the folder of the hand-over: a fine-tune (``sei.lit.fits``) or scores of candidates (``sei.lit.scoring``). The
process opens the weights, takes its rank and its number of peers from torchrun's variables, and does its share. It ends
when the process that waits for it has ended.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
from pathlib import Path

import torch

from sei.errors import SeiError
from sei.imports import look_here
from sei.lit import scoring
from sei.lit.fits import Curve, Handover, note_rank, read, telling

POLL_S = 0.2


def main(argv: list[str] | None = None) -> int:
    """Do the share of one process of several; returns the exit code."""
    (name,) = sys.argv[1:] if argv is None else argv
    folder, rank = Path(name), int(os.environ.get("RANK", "0"))
    look_here()
    try:
        with telling(folder, rank):
            note_rank(folder, rank)
            job = json.loads((folder / "job.json").read_text(encoding="utf-8"))
            _end_with(*job["parent"])
            if job["kind"] == "fit":
                train(read(folder), folder)
            else:
                scoring.score(folder, rank, int(os.environ.get("WORLD_SIZE", "1")))
    except SeiError as e:
        print(e, file=sys.stderr, flush=True)
        return e.exit_code
    return 0


def train(job: Handover, folder: Path) -> None:
    """Train this process's share. The first process writes the weights.

    Raises:
        NumericError: as on one device.
        ConfigError: if the model cannot be shared out.
    """
    from pytorch_lightning.plugins.environments import TorchElasticEnvironment

    from sei.lit import fitting
    from sei.lit.ranks import EndAtOnce, RankCausalLM, strategy_of, whole_weights
    from sei.lit.trainer import hush

    fit, machine = job.fit, job.finetuner.trainer
    hush()
    with job.finetuner.trainable(job.start, fit.seed, device="cpu") as (model, _):
        shard = machine.strategy == "fsdp"
        lit = RankCausalLM(model, seed=fit.seed, steps=Curve(folder), shard=shard, **fit.settings)
        trainer = fitting.run(
            lit,
            fit,
            machine,
            folder,
            resume_in=job.resume,
            point=job.point,
            devices=machine.devices,
            nodes=machine.num_nodes,
            strategy=strategy_of(machine.strategy, machine.devices * machine.num_nodes, machine.kind),
            environment=TorchElasticEnvironment(),
            callbacks=(EndAtOnce(),),
        )
        weights = whole_weights(lit) if shard else lit.state_dict()
        if lit.global_rank == 0:
            aside = folder / "weights.part"
            torch.save(weights, aside)
            aside.replace(folder / "weights.pt")
        trainer.strategy.barrier()


def _end_with(host: str, parent: int) -> None:
    """End this process after the one that waits for it, or the launcher, was killed."""
    launcher, here = os.getppid(), socket.gethostname() == host

    def watch() -> None:
        while os.getppid() == launcher and (not here or _runs(parent)):
            time.sleep(POLL_S)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # it runs as another user
        return True
    return True


if __name__ == "__main__":
    sys.exit(main())
