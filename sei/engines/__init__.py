"""Engines: how a target model answers, in this process or served."""
