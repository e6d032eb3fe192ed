"""Lightning's strategy for one device, without moving the model back to the CPU after every call."""

from __future__ import annotations

from pytorch_lightning.strategies import SingleDeviceStrategy


class OneDevice(SingleDeviceStrategy):
    """The model stays on its device when a fit or a predict ends.

    The caller that opened the model frees it. Lightning would move it to the CPU after every call. With one call per
    batch all weights would be moved twice per batch.
    """

    def teardown(self) -> None:
        """Free the resources of the call, but leave the weights on the device."""
        self.precision_plugin.teardown()
        assert self.accelerator is not None
        self.accelerator.teardown()
        self.checkpoint_io.teardown()
