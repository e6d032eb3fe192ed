"""Lightning's strategy for one device, without its habit of moving the model back to the CPU after every call."""

from __future__ import annotations

from pytorch_lightning.strategies import SingleDeviceStrategy


class OneDevice(SingleDeviceStrategy):
    """The model stays where it is when a fit or a predict ends.

    Who opened the model frees it. Lightning moves it to the CPU after every call, which for a call a batch means that
    all weights travel twice a batch.
    """

    def teardown(self) -> None:
        """Free what the call used, but leave the weights on the device."""
        self.precision_plugin.teardown()
        assert self.accelerator is not None
        self.accelerator.teardown()
        self.checkpoint_io.teardown()
