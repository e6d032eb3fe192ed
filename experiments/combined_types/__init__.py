"""Do error types help if the synthesizer combines problems and types share the budget equally?"""
