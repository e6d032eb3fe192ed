"""The page of a run: ``report.html``, a single file that shows everything a run made and needs no other file."""

from sei.report.page.write import make_page, make_sweep_page, write_page, write_sweep_page

__all__ = ["make_page", "make_sweep_page", "write_page", "write_sweep_page"]
