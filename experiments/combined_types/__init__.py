"""Do error types help where the synthesizer combines and types share the budget equally?"""
