"""Engines: they let a target model answer, in this process or through a server."""
