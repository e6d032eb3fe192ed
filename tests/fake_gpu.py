"""A fake GPU: tensors report another device, their values stay on the CPU, and mixing devices fails.

It replaces a GPU on machines without one. Inside a ``FakeGPU`` block, ``meta`` is such a device. ``matmuls`` counts
matrix multiplications by device, since that is where a model computes; ``carried`` counts the numbers copied from the
CPU to it.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from pytorch_lightning.accelerators import CPUAccelerator
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

from sei import devices
from sei.lit import trainer
from sei.models import embedder, target

NAME = "meta"
_MOVES = {"to", "_to_copy", "copy_", "_local_scalar_dense", "set_", "lift_fresh"}
_MATMULS = {"mm", "addmm", "bmm", "baddbmm", "linear", "matmul"}


class Elsewhere(torch.Tensor):
    """A tensor that reports the fake device, with its values in ``here``."""

    here: torch.Tensor

    @staticmethod
    def __new__(cls, here: torch.Tensor) -> Elsewhere:
        """Wrap a CPU tensor."""
        layout = {"strides": here.stride(), "storage_offset": here.storage_offset(), "dtype": here.dtype}
        made = torch.Tensor._make_wrapper_subclass(cls, here.size(), device=NAME, **layout)  # type: ignore[attr-defined]
        made.here = here
        return made  # type: ignore[no-any-return]

    def tolist(self) -> Any:
        """Return the values; torch refuses this for subclasses of tensors."""
        return self.here.tolist()

    def __repr__(self, **_: Any) -> str:  # type: ignore[override]
        """Show the values."""
        return f"Elsewhere({self.here!r})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU, also outside a ``FakeGPU``."""
        return _compute(func, args, kwargs or {})


class FakeGPU(TorchDispatchMode):
    """A block in which the fake device exists."""

    def __init__(self) -> None:
        super().__init__()
        self.matmuls: Counter[str] = Counter()
        self.carried = 0
        self._literals = _Literals()

    def __enter__(self) -> FakeGPU:
        """Enter the block."""
        self._literals.__enter__()
        return super().__enter__()  # type: ignore[no-any-return]

    def __exit__(self, *error: Any) -> None:
        """Leave the block."""
        super().__exit__(*error)
        self._literals.__exit__(*error)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Compute on the CPU and count."""
        kwargs = kwargs or {}
        if func.overloadpacket.__name__ in _MATMULS:
            self.matmuls[NAME if _elsewhere(args, kwargs) else "cpu"] += 1
        out = _compute(func, args, kwargs)
        if func.overloadpacket.__name__ in _MOVES and isinstance(out, Elsewhere) and not isinstance(args[0], Elsewhere):
            self.carried += out.numel()
        return out


class _Literals(TorchFunctionMode):
    """``torch.tensor`` of values would make a real meta tensor directly: make it on the CPU, then move it."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        if func is torch.tensor and torch.device(kwargs.get("device") or "cpu").type == NAME:
            return func(*args, **{**kwargs, "device": "cpu"}).to(NAME)
        return func(*args, **kwargs)


def _elsewhere(args: Any, kwargs: Any) -> bool:
    return any(isinstance(x, Elsewhere) for x in tree_leaves((args, kwargs)))


def _compute(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = func.overloadpacket.__name__
    there = _elsewhere(args, kwargs)
    plain = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.Tensor) and not isinstance(x, Elsewhere)]
    indexing = name.startswith(("index", "_index", "_unsafe_index"))
    if there and name not in _MOVES and not indexing and any(x.dim() for x in plain):
        raise RuntimeError(f"Expected all tensors to be on the same device: {name} was given both")
    asked = [x for x in tree_leaves((args, kwargs)) if isinstance(x, torch.device)]
    there = asked[0].type == NAME if asked else there
    bare_args, bare_kwargs = tree_map(_here, (args, kwargs))
    out = func(*bare_args, **bare_kwargs)
    if not there or name in ("_local_scalar_dense", "_has_compatible_shallow_copy_type"):
        return out
    out = tree_map(lambda x: Elsewhere(x) if isinstance(x, torch.Tensor) else x, out)
    return out if name in _MOVES else return_and_correct_aliasing(func, args, kwargs, out)


def _here(x: Any) -> Any:
    if isinstance(x, torch.device):
        return torch.device("cpu")
    return x.here if isinstance(x, Elsewhere) else x


def as_gpu(patch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let ``gpu`` and ``auto`` mean the fake device."""

    def named(accelerator: str) -> str:
        return "cpu" if accelerator == "cpu" else NAME

    for module in (devices, trainer, target, embedder):
        patch.setattr(module, "device_of", named)
    patch.setattr(CPUAccelerator, "setup_device", lambda *_: None)
    # keeps a module's tied weights tied when moved, as on a GPU; tensors of a subclass need this
    before = torch.__future__.get_swap_module_params_on_conversion()
    torch.__future__.set_swap_module_params_on_conversion(True)
    request.addfinalizer(lambda: torch.__future__.set_swap_module_params_on_conversion(before))
